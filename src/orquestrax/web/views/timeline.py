"""The timeline: a Gantt chart as rows of bars, placed in percent of a common span. Pure.

While an instance runs, the span is a round number that grows in steps, so that bars do not creep; only the
bars that are open grow, and the browser does that between two frames. Many steps of one name fold into one
row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orquestrax.core.store.progress import ProgressView
from orquestrax.web.views.clock import DAY, HOUR, MINUTE, SECOND, duration, tick_label
from orquestrax.web.views.progress import Progress, progress_of
from orquestrax.web.views.statuses import STEPS
from orquestrax.web.views.story import Attempt, Lane, Story

FOLD: Final = 40  # more rows than this are hard to read
MOST_BARS: Final = 400  # in one folded row
MOST_TICKS: Final = 6
THINNEST: Final = 0.35  # percent: what happened stays visible
SPANS: Final = (
    *(n * SECOND for n in (5, 10, 15, 20, 30, 45)),
    *(n * MINUTE for n in (1, 2, 3, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 3, 7, 14, 30, 60, 90, 180, 365, 730)),
)
TICKS: Final = (
    *(n * 1000 for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 5, 7, 14, 30, 60, 90, 180)),
)

_MARKS: Final = {
    "signal": ("signal {}", "waiting"),
    "cancel": ("cancel requested", "failed"),
    "paused": ("paused by {}", "waiting"),
    "resumed": ("resumed by {}", "running"),
    "takeover": ("taken over by {}", "retrying"),
    "attempt": ("attempt {} of the whole run failed", "retrying"),
    "timeout": ("over its time limit", "failed"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: place and width in percent. `grows_from` (ms) is set while its end is not known."""

    left: str
    width: str
    tone: str
    shape: str
    title: str
    grows_from: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the chart; `since` (µs) ticks, `took` stands still; `progress` is of a running step."""

    id: str
    label: str
    note: str
    tone: str
    bars: tuple[Bar, ...]
    took: str = ""
    since: int | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole chart. Times in milliseconds, for the browser."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[str, str], ...]
    span: int
    ended: bool


def chart(
    story: Story,
    *,
    created_at: int,
    started_at: int | None,
    ended_at: int | None,
    now: int,
    said: Mapping[int, ProgressView] | None = None,
) -> Chart:
    """Lay out a story between its creation and its end, or a round time after now.

    said  what steps last said of themselves, by command
    """
    end = ended_at if ended_at is not None else max(now, created_at)
    dues = [lane.due for lane in story.lanes if lane.due is not None and ended_at is None]
    span = end - created_at if ended_at is not None else _horizon(created_at, end, dues)
    scale = _Scale(created_at, max(span, 1000), end)
    rows = [_queue_row(scale, started_at, ended_at), *_lane_rows(scale, story.lanes, said or {})]
    if story.marks:
        rows.append(_marks_row(scale, story))
    return Chart(tuple(rows), tuple(_ticks(scale.span)), scale.span // 1000, ended_at is not None)


def _horizon(start: int, now: int, dues: Iterable[int]) -> int:
    """A round span that holds now, and what is due soon in proportion to what has passed."""
    passed = max(now - start, SECOND)
    near = [due - start for due in dues if due - start <= 3 * max(passed, 5 * SECOND)]
    wanted = max([passed * 51 // 50, *near])
    place = bisect_left(SPANS, wanted)
    return SPANS[place] if place < len(SPANS) else wanted


def _ticks(span: int) -> Iterable[tuple[str, str]]:
    step = next((step for step in TICKS if span / step <= MOST_TICKS), span)
    for at in range(0, span, step):
        if at <= span * 0.96:  # a label at the very edge would be cut
            yield f"{100 * at / span:.2f}%", tick_label(at)


class _Scale:
    """Times to percent."""

    def __init__(self, start: int, span: int, end: int) -> None:
        self.start, self.span, self.end = start, span, end

    def bar(self, since: int, until: int | None, tone: str, shape: str, title: str) -> Bar:
        """A bar; open ones end now and grow."""
        left = 100 * min(max(since - self.start, 0), self.span) / self.span
        stop = self.end if until is None else until
        width = max(THINNEST, 100 * (stop - since) / self.span)
        grows_from = since // 1000 if until is None else None
        return Bar(
            f"{min(left, 100 - THINNEST):.2f}%",
            f"{min(width, 100 - left):.2f}%",
            tone,
            shape,
            title,
            grows_from,
        )


def _queue_row(scale: _Scale, started_at: int | None, ended_at: int | None) -> Row:
    picked = started_at if started_at is not None else ended_at
    title = "waits for a node" if picked is None else f"waited for a node {duration(picked - scale.start)}"
    bar = scale.bar(scale.start, picked, "idle", "thin", title)
    took = "" if picked is None else duration(picked - scale.start)
    return Row("lane-queue", "pending", "", "idle", (bar,), took, scale.start if picked is None else None)


def _lane_rows(scale: _Scale, lanes: Sequence[Lane], said: Mapping[int, ProgressView]) -> list[Row]:
    if len(lanes) <= FOLD:
        return [_lane_row(scale, lane, said) for lane in lanes]
    groups: dict[tuple[str, str], list[Lane]] = {}
    for lane in lanes:
        groups.setdefault((lane.kind, lane.name), []).append(lane)
    return [
        _lane_row(scale, group[0], said) if len(group) == 1 else _folded(scale, name, group)
        for (_, name), group in groups.items()
    ]


def _lane_row(scale: _Scale, lane: Lane, said: Mapping[int, ProgressView]) -> Row:
    tone = STEPS[lane.state].tone
    tries = lane.attempts[-1].number if lane.attempts else 1
    note = f"{tries} attempts" if tries > 1 else ""
    since = None if lane.ended_at is not None else lane.asked_at
    took = "" if lane.ended_at is None else duration(lane.ended_at - lane.asked_at)
    progress = progress_of(said.get(lane.command), tries) if lane.state == "running" else None
    return Row(
        f"lane-{lane.command}", lane.name, note, tone, tuple(_bars(scale, lane)), took, since, progress
    )


def _folded(scale: _Scale, name: str, group: Sequence[Lane]) -> Row:
    states = [lane.state for lane in group]
    worst = next((s for s in ("failed", "retrying", "running", "waiting") if s in states), "completed")
    done = sum(lane.ended_at is not None for lane in group)
    note = (
        f"\N{MULTIPLICATION SIGN} {len(group)}"
        if done == len(group)
        else f"\N{MULTIPLICATION SIGN} {len(group)}, {done} done"
    )
    bars = [bar for lane in group for bar in _bars(scale, lane)][-MOST_BARS:]
    return Row(f"fold-{group[0].command}", name, note, STEPS[worst].tone, tuple(bars))


def _bars(scale: _Scale, lane: Lane) -> Iterable[Bar]:
    if lane.kind == "timer":
        yield _timer_bar(scale, lane)
        return
    before = lane.asked_at
    for attempt in lane.attempts:
        if attempt.started_at - before > scale.span / 500:
            gap = "waited for a slot" if attempt.number == 1 else "waited for the next attempt"
            title = f"{lane.name} {gap} {duration(attempt.started_at - before)}"
            yield scale.bar(
                before, attempt.started_at, "retrying" if attempt.number > 1 else "idle", "thin", title
            )
        yield scale.bar(
            attempt.started_at, attempt.ended_at, STEPS[attempt.state].tone, "full", _told(lane, attempt)
        )
        before = attempt.ended_at or scale.end
    if lane.due is not None:
        yield scale.bar(
            before, min(lane.due, scale.start + scale.span), "retrying", "thin", f"{lane.name}: next attempt"
        )


def _timer_bar(scale: _Scale, lane: Lane) -> Bar:
    if lane.ended_at is not None:
        return scale.bar(
            lane.asked_at,
            lane.ended_at,
            "scheduled",
            "full",
            f"timer {duration(lane.ended_at - lane.asked_at)}",
        )
    until = min(lane.due or scale.end, scale.start + scale.span)
    return scale.bar(lane.asked_at, until, "scheduled", "hollow", "timer, not due yet")


def _told(lane: Lane, attempt: Attempt) -> str:
    if attempt.ended_at is None:
        return f"{lane.name}, attempt {attempt.number}: running"
    took = duration(attempt.ended_at - attempt.started_at)
    told = f"{lane.name}, attempt {attempt.number}: {STEPS[attempt.state].word}, {took}"
    return f"{told}, {attempt.error}" if attempt.error else told


def _marks_row(scale: _Scale, story: Story) -> Row:
    bars = tuple(
        scale.bar(mark.at, mark.at, _MARKS[mark.kind][1], "mark", _MARKS[mark.kind][0].format(mark.name))
        for mark in story.marks
    )
    return Row("lane-marks", "messages", "", "waiting", bars)
