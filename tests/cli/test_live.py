"""`run --wait` in a terminal, and the story that it tells."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orquestrax.cli.live import LiveView
from orquestrax.cli.output import duration
from orquestrax.cli.story import Story, told

from .conftest import SCRIPT

SECOND = 1_000_000
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.verify
def test_live_view_in_a_terminal(namespace: str, folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import asyncio\nimport orquestrax as ox\n"
        "@ox.step(retry=ox.Retry(attempts=2, initial=0.8, jitter=0))\nasync def work() -> str:\n"
        "    if ox.step_info().attempt == 1:\n        raise OSError('busy')\n"
        "    print('at work')\n    await asyncio.sleep(1.5)\n    return 'done'\n"
        "@ox.workflow\nasync def slow() -> str:\n    await asyncio.sleep(1.5)\n    return await work()\n"
    )
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    command = [SCRIPT, "run", "slow.py:slow", "--id", "s", "--wait"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, stdin=theirs, env=env)
    os.close(theirs)
    shown = _all(ours)
    assert running.stdout
    assert (running.stdout.read(), running.wait(30)) == (b'"done"\n', 0)
    running.stdout.close()
    frames = ESCAPES.sub("", shown)
    for part in (
        r"no node serves slow: this process does, until s has ended",
        r"⏸ waiting s \(slow\)",
        r"⏸ timer, [\d.]+ m?s left",
        r"↻ work, again in \d+ ms: OSError: busy",
        r"▶ work, attempt 2, for 1\.\d s",
        r"at work",
        r"✓ completed s \(slow\), \d\.\d s, 1 step done\s+✓ work, attempt 2, 1\.\d s",
    ):
        assert re.search(part, frames), (part, frames)
    assert "\x1b[?25h" in shown.rpartition("\x1b[?25l")[2], "the cursor stays hidden"


def _all(terminal: int) -> str:
    """What a terminal shows, to the end."""
    shown = b""
    while True:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            more = b""
        if not more:
            os.close(terminal)
            return shown.decode()
        shown += more


def step(command: int, name: str = "work", **data: Any) -> dict[str, Any]:
    return {
        "command": command,
        "step": name,
        "attempt": 1,
        "node": "n",
        "started_at": 0,
        "ended_at": SECOND,
    } | data


def test_story() -> None:
    story = Story()
    story.add(1, "step_started", step(1))
    assert story.lines[1].state == "running"
    story.add(2, "step_retrying", step(1, due=3 * SECOND, error={"type": "OSError", "message": "busy\nvery"}))
    assert (story.lines[1].state, story.lines[1].note) == ("retrying", "OSError: busy")
    story.add(3, "step_completed", step(1, attempt=2, result=5))
    story.add(4, "step_failed", step(2, error={"type": "ValueError", "message": "no"}))
    story.add(5, "step_started", step(3))
    story.add(6, "step_cancelled", {"command": 3, "step": "work"})
    story.add(7, "step_cancelled", {"command": 4, "step": "never began"})
    story.add(8, "timer_fired", {"command": 5})
    assert [line.state for line in story.lines.values()] == ["done", "failed", "cancelled"]
    assert (story.done, story.seq) == (1, 8)


@pytest.mark.parametrize(
    ("type_", "data", "words"),
    [
        ("step_completed", step(1, result={"a": 1}), 'work in 1.0 s: {"a":1}'),
        ("step_completed", step(1, attempt=3), "work, attempt 3 in 1.0 s: null"),
        ("step_failed", step(1, error={"type": "E", "message": "m"}), "work after 1.0 s: E: m"),
        (
            "step_retrying",
            step(1, due=3 * SECOND, error={"type": "E", "message": "m"}),
            "work failed: E: m; again in 2.0 s",
        ),
        ("signal_received", {"name": "go", "payload": True, "number": 1, "message": "x"}, "go: true"),
        ("cancel_requested", {"payload": "enough", "number": 1, "message": "x"}, "enough"),
        ("taken_over", {"dead": "1", "node": "n-2"}, "by n-2"),
        ("completed", {"node": "n", "result": 1}, "1"),
        ("failed", {"node": "n", "error": {"type": "E", "message": "m"}}, "E: m"),
        ("terminated", {"node": "n", "reason": "stuck"}, "stuck"),
        ("timer_fired", {"command": 1}, ""),
        ("started", {"created_by": "cli", "node": "n", "input": []}, "created_by cli, node n"),
    ],
)
def test_told(type_: str, data: dict[str, Any], words: str) -> None:
    assert told(type_, data) == words


def test_long_stories_are_cut() -> None:
    view = LiveView("x")
    for number in range(30):
        view.story.add(number, "step_completed", step(number, f"step {number}"))
    shown = [str(line) for line in view._steps()]
    assert shown[0] == "  … 18 before"
    assert shown[-1] == "  ✓ step 29, 1.0 s"
    assert len(shown) == 13


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (None, ""), (0, "0 ms"), (-1, "0 ms"), (0.0004, "0 ms"), (0.34, "340 ms"), (2.14, "2.1 s"), (59.9, "59.9 s"),
        (60, "1 min"), (250, "4 min 10 s"), (3600, "1 h"), (11100, "3 h 5 min"), (86400 * 2 + 3600 * 4, "2 d 4 h"),
        (timedelta(minutes=1, seconds=1), "1 min 1 s"),
    ],
)  # fmt: skip
def test_durations(span: Any, words: str) -> None:
    assert duration(span) == words
