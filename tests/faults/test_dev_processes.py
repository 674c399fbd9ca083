"""Process steps under `orquestrax dev`: new code is for new children, and Ctrl-C leaves none."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from tests.faults.dev import Dev

FLOWS = """
import os
import orquestrax as ox


@ox.step(executor="process")
def answer() -> list[int]:
    return [{answer}, os.getpid()]


@ox.workflow
async def asking() -> list[int]:
    return await answer()
"""


@pytest.mark.verify
def test_changed_code_runs_in_new_children_and_none_is_left(tmp_path: Path) -> None:
    file = tmp_path / "flows.py"
    file.write_text(FLOWS.format(answer=1))
    dev = Dev.start(tmp_path, "flows.py")
    try:
        first, before = ask(dev, 1)
        file.write_text(FLOWS.format(answer=22))
        second, after = ask(dev, 22)
        assert (first, second) == (1, 22)
        assert before != after
    finally:
        dev.stop()
    deadline = time.monotonic() + 15
    while any(psutil.pid_exists(pid) for pid in (before, after)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "Traceback" not in (tmp_path / "dev.log").read_text()


def ask(dev: Dev, wanted: int) -> list[int]:
    """Start instances until the code gives this answer: a change takes a moment to be loaded."""
    for number in range(60):
        id_ = f"asked-{wanted}-{number}"
        dev.ask("/instances", {"definition": "asking", "id": id_})
        result: list[int] = dev.until_ended(id_)["result"]
        if result[0] == wanted:
            return result
        time.sleep(0.2)
    raise AssertionError((dev.folder / "dev.log").read_text())
