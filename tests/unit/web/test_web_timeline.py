"""The Gantt chart: places in percent, a span that grows in steps, rows that fold; and its SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.web.kit import MS, Events, instance

from orquestrax.web.render import fragment
from orquestrax.web.views import timeline
from orquestrax.web.views.detail import detail
from orquestrax.web.views.story import read

times = st.integers(0, 10_000_000)


def drawn(events: Events, *, ended_at: int | None, now: int, started_at: int | None = 100) -> timeline.Chart:
    story = read(events.rows, (started_at or 0) * MS, now * MS)
    return timeline.chart(
        story,
        created_at=0,
        started_at=None if started_at is None else started_at * MS,
        ended_at=None if ended_at is None else ended_at * MS,
        now=now * MS,
    )


def test_an_ended_instance_fills_the_chart() -> None:
    events = Events().ended(1, "charge", 200, 600, issued=1).ended(2, "pack", 600, 1000, issued=2)
    chart = drawn(events, ended_at=1000, now=99_000)
    queue, charge, pack = chart.rows
    assert [(bar.left, bar.width, bar.tone) for bar in queue.bars] == [("0.00%", "10.00%", "idle")]
    assert [(bar.left, bar.width, bar.shape) for bar in charge.bars] == [
        ("10.00%", "10.00%", "thin"),
        ("20.00%", "40.00%", "full"),
    ]
    assert [(bar.left, bar.width, bar.tone) for bar in pack.bars] == [("60.00%", "40.00%", "completed")]
    assert (chart.span, chart.ended, pack.took) == (1000, True, "400 ms")


def test_a_running_step_is_open_and_the_span_is_round() -> None:
    chart = drawn(Events().started(1, "charge", 1200, 200, issued=1), ended_at=None, now=3000)
    assert chart.span == 5000
    bar = chart.rows[1].bars[-1]
    assert (bar.tone, bar.left, bar.width, bar.grows_from) == ("running", "4.00%", "56.00%", 200)
    assert chart.rows[1].since is not None


def test_the_span_stays_while_time_passes_within_it() -> None:
    events = Events().started(1, "charge", 1200, 200, issued=1)
    spans = {drawn(events, ended_at=None, now=now).span for now in range(1300, 4900, 100)}
    assert spans == {5000}


def test_retries_show_the_failed_attempts_and_the_wait() -> None:
    events = Events().retrying(1, "charge", 100, 300, 800, attempt=1, issued=1)
    shapes = [(bar.tone, bar.shape) for bar in drawn(events, ended_at=None, now=500).rows[1].bars]
    assert shapes == [("retrying", "full"), ("retrying", "thin")]
    events.ended(1, "charge", 800, 1000, attempt=2, issued=1)
    row = drawn(events, ended_at=1000, now=2000).rows[1]
    assert [(bar.tone, bar.shape) for bar in row.bars] == [
        ("retrying", "full"),
        ("retrying", "thin"),
        ("completed", "full"),
    ]
    assert row.note == "2 attempts"
    assert row.bars[0].title == "charge, attempt 1: retrying, 200 ms, Busy: later"


def test_many_steps_of_one_name_fold() -> None:
    events = Events()
    for command in range(1, 101):
        events.ended(command, "pack", 100, 100 + command, issued=100)
    events.ended(101, "ship", 200, 300, issued=101)
    labels = [(row.label, row.note) for row in drawn(events, ended_at=300, now=400).rows]
    assert labels == [("pending", ""), ("pack", "\N{MULTIPLICATION SIGN} 100"), ("ship", "")]


def test_messages_have_a_row_of_their_own() -> None:
    events = Events().add("signal_received", 500, 1, number=1, message="m", name="approval")
    row = drawn(events, ended_at=1000, now=1000).rows[-1]
    assert (row.label, row.bars[0].shape, row.bars[0].title) == ("messages", "mark", "signal approval")


def test_a_pending_instance_waits_visibly() -> None:
    chart = drawn(Events(), ended_at=None, now=2000, started_at=None)
    assert chart.rows[0].since == 0
    assert chart.rows[0].bars[0].title == "waits for a node"


@given(st.lists(st.tuples(times, times), max_size=60), times, st.booleans())
def test_bars_stay_within_the_chart(spans: list[tuple[int, int]], now: int, ended: bool) -> None:
    events = Events()
    for command, (one, other) in enumerate(spans, start=1):
        events.ended(command, f"s{command % 50}", min(one, other), max(one, other), issued=command)
    chart = drawn(events, ended_at=now if ended else None, now=now)
    for bar in (bar for row in chart.rows for bar in row.bars):
        left, width = float(bar.left[:-1]), float(bar.width[:-1])
        assert 0 <= left <= 100
        assert 0 <= width <= 100.01 - left
    ticks = [float(left[:-1]) for left, _ in chart.ticks]
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= timeline.MOST_TICKS + 1


def test_the_svg_is_well_formed_and_says_the_same_in_words() -> None:
    evil = '<script>"&'
    events = Events().retrying(1, evil, 100, 300, 800, attempt=1, issued=1)
    view = instance(created_at=0)
    shown = detail(view, events.rows, None, now=400 * MS)
    root = ET.fromstring(fragment("detail/timeline.html", "", d=shown, view=None, clock=400 * MS))
    bars = [bar for bar in root.iter("rect") if "bar" in bar.get("class", "")]
    assert len(bars) == 3
    assert all(bar.get("x", "").endswith("%") and bar.get("width", "").endswith("%") for bar in bars)
    titles = [title.text or "" for title in root.iter("title")]
    assert any(text.startswith(f"{evil}, attempt 1: retrying") for text in titles)
    assert any(evil in svg.get("aria-label", "") for svg in root.iter("svg"))
    assert all("style" not in element.attrib for element in root.iter())
