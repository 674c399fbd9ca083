"""`kill -9` before and after every commit: the kitchen sink and the examples come to the same all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import reset
from tests.examples.venvs import Venv

ROOT = Path(__file__).parents[2]


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "least"), [("kitchen", 30), ("plain", 30), ("careful", 15), ("orders", 20), ("audit", 12)]
)
async def test_I1_I3_I6_I7_I8_I10_I19_killed_at_every_boundary(
    name: str, least: int, dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await reset(Address(dsn=dsn, schema=f"sweep_{name}"))
    venv = Venv(tmp_path / "venv")
    for each in ("alpha", "beta", "gamma"):
        venv.wheel(each, {f"{each}/__init__.py": b"x = 1\n"}, metadata="License-Expression: MIT")
    (venv.site / "beta" / "__init__.py").write_bytes(b"x = 2\n")
    whole, *swept = _sweep(name, dsn, tmp_path)
    assert "failure" not in whole, whole["failure"]
    failures = [line for line in swept if "failure" in line]
    killed = sum(line["killed"] for line in swept)
    again = sum(line.get("extra", 0) for line in swept)
    seconds = sum(line["seconds"] for line in swept)
    with capsys.disabled():
        print(
            f"\n{name}: kill -9 at {killed} of {len(swept)} boundaries, failures: {len(failures)}, "
            f"bodies run again or not at all for a kill: {again}, {seconds:.0f} s",
            file=sys.stderr,  # which is also shown of the workers of pytest-xdist
        )
    assert failures == []
    assert len(swept) == len(whole["reached"])
    assert killed >= least, (
        "a run may reach less boundaries than the first: commits join when the machine is busy"
    )
    assert again > 0, "no body was under way at any kill: the sweep shows nothing"


def _sweep(name: str, dsn: str, folder: Path) -> list[dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.faults.sweep", name, dsn, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*_path(), str(ROOT / "examples")])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def _path() -> list[str]:
    return [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
