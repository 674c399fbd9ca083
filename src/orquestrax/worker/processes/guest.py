"""What a body in a child process knows of itself, and how it speaks to the node."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

from orquestrax.base.logs import Names
from orquestrax.worker.info import Informed, StepInfo
from orquestrax.worker.processes.frames import Wire
from orquestrax.worker.processes.messages import Begun, encode
from orquestrax.worker.pulse import Pulse, Told

_MOMENT: Final = 0.1  # seconds between two messages


class Guest(Informed):
    """The attempt, as far as it is in this process."""

    def __init__(self, info: StepInfo, wire: Wire) -> None:
        self.info = info
        self.names = Names(info.instance_id, info.step, info.attempt)
        self._wire = wire
        self._lock = threading.Lock()
        self._pulse = Pulse()
        self._sent_at = 0.0

    def begin(self) -> None:
        """From now on the body can speak."""
        self._wire.send(encode(Begun()))

    def say(self, told: Told) -> None:
        """Tell the node, now if it has not heard for a moment, else when the moment is over: a loop may call often."""
        with self._lock:
            self._pulse.hear(told)
            if self._pulse.pending:
                return
            self._pulse.pending = True
            wait = self._sent_at + _MOMENT - self._pulse.at
            if wait > 0:
                timer = threading.Timer(wait, self.finish)
                timer.daemon = True
                timer.start()
                return
        self.finish()

    def finish(self) -> None:
        """Send what has not been sent."""
        with self._lock:
            if not self._pulse.pending:
                return
            self._pulse.pending = False
            self._sent_at = time.monotonic()
            pulse = self._pulse
            told = Told(pulse.done, pulse.total, pulse.note, pulse.details)
            with suppress(OSError):  # the node is gone, and this process with it
                self._wire.send(encode(told))
