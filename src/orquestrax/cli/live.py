"""`run --wait` while it waits: a live view in a terminal, plain lines elsewhere; all of it on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

import msgspec

from orquestrax.cli.failing import say
from orquestrax.cli.output import STYLES, console, duration, plain, status_text
from orquestrax.cli.story import SECOND, Line, Story, told
from orquestrax.client.views import decoded

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orquestrax.core.store.clientverbs import EventView, InstanceView

MOST_LINES: Final = 12
MARKS: Final = {
    "done": STYLES["completed"],
    "running": STYLES["running"],
    "retrying": ("↻", "yellow"),
    "failed": STYLES["failed"],
    "cancelled": STYLES["cancelled"],
}


class View(AbstractContextManager["View"], Protocol):
    """Shows how an instance gets on."""

    story: Story

    def show(self, view: InstanceView, events: list[EventView]) -> None:
        """Take in the row and the events since the last call."""


def view_of(id_: str) -> View:
    """The view that fits where stderr goes."""
    return LiveView(id_) if sys.stderr.isatty() else PlainView(id_)


class PlainView(nullcontext["PlainView"]):
    """A line for each change of status and each event."""

    def __init__(self, id_: str) -> None:
        super().__init__(self)
        self.story = Story()
        self._id, self._status = id_, ""

    def show(self, view: InstanceView, events: list[EventView]) -> None:
        """Say what is new."""
        for event in events:
            data = msgspec.json.decode(event.data)
            self.story.add(event.seq, event.type, data)
            say(f"{_clock(event.at)} {event.type} {told(event.type, data)}".rstrip())
        if view.status != self._status:
            self._status = view.status
            say(f"{self._id} is {view.status}{_waits_for(view)}")


class LiveView:
    """A block that is drawn four times a second: status, steps with attempts and times, what it waits for."""

    def __init__(self, id_: str) -> None:
        from rich.live import Live

        self.story = Story()
        self._id = id_
        self._view: InstanceView | None = None
        self._live = Live(console=console(err=True), get_renderable=self._draw, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, cls: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(cls, error, trace)

    def show(self, view: InstanceView, events: list[EventView]) -> None:
        """Remember; the next frame shows it."""
        self._view = view
        for event in events:
            self.story.add(event.seq, event.type, msgspec.json.decode(event.data))
        self._live.refresh()

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if self._view is None:
            return Text("")
        return Group(self._heading(self._view), *self._steps(), *self._waits(self._view))

    def _heading(self, view: InstanceView) -> RenderableType:
        until = view.ended_at or _now()
        took = f", {duration((until - view.started_at) / SECOND)}" if view.started_at else ""
        done = f", {self.story.done} step{'' if self.story.done == 1 else 's'} done"
        return status_text(view.status) + plain(f" {self._id} ({view.definition}){took}{done}")

    def _steps(self) -> Iterator[RenderableType]:
        from rich.text import Text

        lines = list(self.story.lines.values())
        if len(lines) > MOST_LINES:
            yield Text(f"  … {len(lines) - MOST_LINES} before", style="dim")
        for line in lines[-MOST_LINES:]:
            mark, style = MARKS[line.state]
            yield Text(f"  {mark} ", style=style) + plain(_words(line))

    def _waits(self, view: InstanceView) -> Iterator[RenderableType]:
        from rich.text import Text

        mark, style = STYLES["waiting"]
        for wait in (decoded(view.waits) or [])[:MOST_LINES]:
            left = f", {duration(max(wait['until'] - _now(), 0) / SECOND)} left" if wait.get("until") else ""
            yield Text(f"  {mark} ", style=style) + plain(f"{wait['kind']} {wait['name']}".rstrip() + left)


def _words(line: Line) -> str:
    attempt = f", attempt {line.attempt}" if line.attempt > 1 else ""
    match line.state:
        case "done" | "failed" if line.until is not None:
            time_ = f", {duration((line.until - line.since) / SECOND)}"
        case "running":
            time_ = f", for {duration((_now() - line.since) / SECOND)}"
        case "retrying" if line.until is not None:
            time_ = f", again in {duration(max(line.until - _now(), 0) / SECOND)}"
        case _:
            time_ = ""
    return f"{line.step}{attempt}{time_}" + (f": {line.note}" if line.note else "")


def _waits_for(view: InstanceView) -> str:
    names = [f"{wait['kind']} {wait['name']}".rstrip() for wait in (decoded(view.waits) or [])[:3]]
    return f", for {', '.join(names)}" if names else ""


def _now() -> int:
    return int(time.time() * SECOND)


def _clock(at: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at // SECOND))
