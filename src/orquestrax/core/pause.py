"""What a pause holds back in memory, until the instance is resumed or cancelled.

    … ── paused ──▶ nothing starts; bodies that run may end: step_kept ── none is left: the row parks, not due ──▶
    … ── resumed ──▶ kept outcomes, then what came by mail, then timers that are due: as if they came now

The row says `paused` and parks without a `wake_at`; signals and results that come stay in the inbox. Of a row without
an owner any engine node writes both events (`endings.steered`), whatever its definition: they run no code.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.model.rows import Message

LIFTING: Final = frozenset({events.RESUMED, events.CANCEL})


@dataclass(slots=True)
class Pause:
    """Of one execution.

    active    still paused; else only what was kept is left to be told to the code
    kept      final outcomes that came while paused, by command; they are in the history
    deferred  messages that are for the code; they are still in the inbox
    """

    active: bool = True
    kept: dict[int, events.StepEnded] = field(default_factory=dict)
    deferred: list[Message] = field(default_factory=list)

    def forget_closed(self, still_open: Container[int]) -> None:
        """Outcomes that the code has heard of, or waits for no more, are of no use."""
        self.kept = {number: ended for number, ended in self.kept.items() if number in still_open}


def after(pause: Pause | None, event: Event) -> Pause | None:
    """What a stored event makes of the pause, for a successor; only events of `STEERING` and a cancel matter."""
    if event.type == events.PAUSED:
        pause = pause or Pause()
        pause.active = True
    elif event.type == events.STEP_KEPT and pause is not None:
        kept: events.StepEnded = events.decode(event)
        pause.kept[kept.command] = kept
    elif event.type in LIFTING and pause is not None:
        pause.active = False
    return pause
