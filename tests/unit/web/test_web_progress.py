"""What running steps say of themselves: bars, words, and when neither is shown."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.unit.web.kit import KEY, MS, Events, instance

from orquestrax.core.store.progress import ProgressView
from orquestrax.web.live.details import DetailView, fragments_of
from orquestrax.web.views.detail import detail
from orquestrax.web.views.progress import Progress, progress_of


def said(**given: Any) -> ProgressView:
    ordinary: dict[str, Any] = {
        "command": 1, "attempt": 1, "node": "host-1", "done": 1.0, "total": 4.0, "note": "", "details": None,
        "told_at": 1_400 * MS,
    }  # fmt: skip
    return ProgressView(**{**ordinary, **given})


@pytest.mark.parametrize(
    ("done", "total", "percent", "words"),
    [
        (412.0, 1000.0, 41.2, "412 of 1,000"),
        (0.25, 1.0, 25.0, "0.25 of 1"),
        (0.0, 3.0, 0.0, "0 of 3"),
        (5.0, 3.0, 100.0, "5 of 3"),
        (-1.0, 3.0, 0.0, "-1 of 3"),
        (7.0, None, None, "7"),
        (7.0, 0.0, None, "7"),
        (7.0, -1.0, None, "7"),
        (7.0, float("nan"), None, "7"),
        (1e20, 3e20, 100 / 3, "1e+20 of 3e+20"),
        (float("inf"), 3.0, None, ""),
        (None, None, None, ""),
    ],
)
def test_bars_and_words(done: float | None, total: float | None, percent: float | None, words: str) -> None:
    shown = progress_of(said(done=done, total=total, note="n"), 1)
    assert shown is not None
    assert shown.percent == pytest.approx(percent)
    assert (shown.words, shown.note, shown.told_at) == (words, "n", 1_400 * MS)


def test_what_an_earlier_attempt_said_is_not_shown() -> None:
    assert progress_of(said(attempt=1), 2) is None
    assert progress_of(None, 1) is None
    assert progress_of(said(), 1) == Progress(25.0, "1 of 4", "", 1_400 * MS)


def timeline(history: Events, *what: ProgressView, **given: Any) -> str:
    shown = detail(instance(**given), history.rows, None, now=2_000 * MS, said=what)
    return fragments_of(shown, DetailView(KEY, ""))["timeline"]


def test_a_running_step_has_a_bar_and_others_have_none() -> None:
    running = Events().started(1, "pack", 1_100, 100, issued=1)
    html = timeline(running, said(note="<b>'\"&"))
    bar = ET.fromstring(html).find(".//svg[@role='progressbar']")
    assert bar is not None
    assert (bar.get("aria-valuenow"), bar.get("aria-valuetext")) == ("25", "1 of 4, <b>'\"&")
    assert bar[0].get("width") == "25.00%"
    assert 'data-since="1400"' in html
    assert "progressbar" not in timeline(running, said(done=None, total=None))
    assert 'class="progress"' in timeline(running, said(done=None, total=None))
    for nothing in (
        timeline(running),
        timeline(running, said(attempt=2)),
        timeline(running, said(command=2)),
    ):
        assert 'class="progress"' not in nothing
    ended = Events().started(1, "pack", 1_100, 100, issued=1).ended(1, "pack", 100, 1_500, issued=1)
    assert 'class="progress"' not in timeline(ended, said())
    retrying = Events().started(1, "pack", 1_100, 100, issued=1)
    retrying.retrying(1, "pack", 100, 1_500, 9_000, attempt=1, issued=1)
    assert 'class="progress"' not in timeline(retrying, said())
