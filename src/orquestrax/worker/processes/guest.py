"""What a body in a child process knows of itself, and how it speaks to the node."""

from __future__ import annotations

from orquestrax.base.logs import Names
from orquestrax.worker.info import Informed, StepInfo
from orquestrax.worker.processes.frames import Wire


class Guest(Informed):
    """The attempt, as far as it is in this process."""

    def __init__(self, info: StepInfo, wire: Wire) -> None:
        self.info = info
        self.names = Names(info.instance_id, info.step, info.attempt)
        self._wire = wire
