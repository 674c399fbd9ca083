"""Histories of one Python fit all others: golden ones, and those of random programs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from tests.unit.replay import across, golden

ROOT = Path(__file__).parents[3]
OTHERS = sorted((ROOT / ".artifacts" / "pythons").glob("3.*/bin/python"))
OWN = "{}.{}".format(*sys.version_info)
NONE = "LOUD: no other Python has what replay needs; `sh .ci/pythons` makes environments of those on this machine"
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Programs drop errors on purpose."""
    log = logging.getLogger("orquestrax.workflow")
    log.disabled = True
    yield
    log.disabled = False


@pytest.mark.parametrize("path", golden.files(), ids=lambda path: path.stem)
def test_golden_histories(path: Path) -> None:
    assert golden.replay(path) == golden.expected(path)


def test_golden_histories_of_all_kinds_are_there() -> None:
    found = [golden.expected(path) for path in golden.files()]
    assert sum("outcome" in each for each in found) >= 8
    assert sum("asked" in each for each in found) >= 4


def test_programs_do_the_same_on_every_python() -> None:
    """What they do on Python 3.11, 3.12 and 3.13, as one number."""
    numbers = across.condensed(0, 150, (3, 11))
    assert crc32(json.dumps(numbers).encode()) == 2536353816


def _on(python: Path, *arguments: str) -> str:
    """What a module of these tests prints on another Python."""
    done = subprocess.run(
        [python, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return done.stdout


def _version(python: Path) -> str:
    return python.parent.parent.name


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.skipif(not OTHERS, reason=NONE)
@pytest.mark.parametrize("python", OTHERS, ids=_version)
class TestOthers:
    """On the other Pythons of this machine."""

    def test_golden_histories(self, python: Path) -> None:
        assert _on(python, "tests.unit.replay.golden", "replay") == ""

    def test_programs(self, python: Path) -> None:
        theirs = json.loads(_on(python, "tests.unit.replay.across", "0", "500", "3.11"))
        assert _differing(theirs, across.condensed(0, 500, (3, 11))) == []

    def test_programs_with_what_only_newer_ones_have(self, python: Path) -> None:
        """Against their own asyncio, and against each other."""
        newer = [other for other in OTHERS if _version(other) >= _version(python)]
        results = [_own(other, _version(python)) for other in newer]
        assert [_differing(each, results[0]) for each in results] == [[] for _ in results]


def _own(python: Path, version: str) -> Any:
    return json.loads(_on(python, "tests.unit.replay.across", "500", "800", version))


def _differing(theirs: dict[str, int], ours: dict[str, int]) -> list[str]:
    assert theirs.keys() == ours.keys()
    return [seed for seed in ours if ours[seed] != theirs[seed]]
