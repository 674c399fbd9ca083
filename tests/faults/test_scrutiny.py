"""`dev` looks closely: linter, audit hook and the replay after the end each speak on its stderr, with the line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.dev import PATIENCE, Dev

FLOWS = """\
import random
from pathlib import Path

import orquestrax as ox

NAMES = [f"name-{number}" for number in range(40)]


@ox.step
async def odd(name: str) -> None: ...


@ox.step
async def even(name: str) -> None: ...


@ox.workflow
async def drawn() -> float:
    return random.random()


@ox.workflow
async def hidden() -> None:
    for name in set(NAMES):  # ox: allow
        await (odd(name) if int(name[5:]) % 2 else even(name))


def save(path) -> None:
    with path.open("w") as file:
        file.write("x")


@ox.workflow
async def saved() -> None:
    save(Path("effect"))
"""


@pytest.mark.verify
def test_I19_dev_says_what_is_not_deterministic_on_the_day_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORQUESTRAX_RECHECK", raising=False)
    (tmp_path / "flows.py").write_text(FLOWS)
    dev = Dev.start(tmp_path, "flows.py")
    try:
        for definition in ("hidden", "saved"):
            dev.ask("/instances", {"definition": definition, "id": definition})
        assert dev.until_ended("hidden")["status"] == "completed"
        failed = dev.until_ended("saved")
        log = until_said(dev, "workflow hidden is not deterministic")
    finally:
        dev.stop()
    assert f"warning: flows.py:{line_of('random.random()')}: in workflow drawn, random.random() gives" in log
    assert failed["status"] == "failed"
    assert failed["error"]["type"] == "ForbiddenInWorkflow"
    flows = tmp_path / "flows.py"
    sentence = f"does not work in a workflow: put it in a step ({flows}:{line_of('path.open')})"
    assert "called by workflow saved" not in log, "what path is, only the hook knows"
    assert sentence in failed["error"]["message"]
    assert sentence in log
    assert not (tmp_path / "effect").exists()
    (warning,) = [line for line in log.splitlines() if "workflow hidden is not deterministic" in line]
    assert "the history has step" in warning
    assert "the code asked for" in warning
    assert f"({flows}:{line_of('await (odd')})" in warning


def line_of(text: str) -> int:
    """The number of the line of the flows that has this."""
    return next(number for number, line in enumerate(FLOWS.splitlines(), 1) if text in line)


def until_said(dev: Dev, text: str) -> str:
    """The log, once it has this."""
    deadline = time.monotonic() + PATIENCE
    while text not in (log := (dev.folder / "dev.log").read_text()):
        assert time.monotonic() < deadline, log
        time.sleep(0.05)
    return log
