"""Both type checkers accept the good uses and report exactly the marked lines of the mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MARK = "# error"


def mypy(file: Path) -> dict[int, str]:
    """Line -> first message of `mypy --strict`, as run by a user of the installed package."""
    lines = output_of("mypy", "--strict", "--output", "json", str(file)).splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    errors = [f for f in found if f["severity"] == "error" and (ROOT / f["file"]).samefile(file)]
    return {error["line"]: error["message"] for error in reversed(errors)}


def basedpyright(file: Path) -> dict[int, str]:
    """Line -> first message of basedpyright, with the project's settings."""
    report = json.loads(output_of("basedpyright", "--outputjson", str(file)))
    assert report["summary"]["filesAnalyzed"] == 1
    errors = [d for d in report["generalDiagnostics"] if d["severity"] == "error"]
    return {e["range"]["start"]["line"] + 1: e["message"] for e in reversed(errors)}


def output_of(*command: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode in (0, 1), run.stderr or run.stdout
    return run.stdout


Checker = Callable[[Path], dict[int, str]]
both = pytest.mark.parametrize(
    "checker", [mypy, pytest.param(basedpyright, marks=pytest.mark.verify, id="basedpyright")]
)


@both
def test_good_uses_are_accepted(checker: Checker) -> None:
    assert checker(HERE / "good.py") == {}


@both
def test_each_mistake_is_reported_and_nothing_else(checker: Checker) -> None:
    text = (HERE / "bad.py").read_text()
    marked = {number for number, line in enumerate(text.splitlines(), 1) if line.endswith(MARK)}
    reported = checker(HERE / "bad.py")
    assert len(marked) > 35
    assert set(reported) == marked, {n: reported.get(n, "not reported") for n in set(reported) ^ marked}
