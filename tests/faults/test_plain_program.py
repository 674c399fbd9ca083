"""A program whose workflow is a plain `def`: killed while it runs, and run again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate

PROGRAM = """
import asyncio
import os
import time

import orquestrax as ox


@ox.step
def square(n: int) -> int:
    print("square", n, flush=True)
    if n == 2 and "HURRY" not in os.environ:
        time.sleep(60)
    return n * n


def squares(numbers: list[int]) -> list[int]:
    return sorted(numbers, key=lambda n: -square.call(n))


@ox.workflow
def ranked(numbers: list[int]) -> list[int]:
    found = squares(numbers)
    ox.await_(asyncio.sleep(0.05))
    return found


if __name__ == "__main__":
    print(ox.run(ranked, [1, 2, 3], id="ranked"))
"""


def test_I7_a_plain_def_program_goes_on_after_kill(tmp_path: Path, dsn: str) -> None:
    asyncio.run(migrate(Address(dsn=dsn, schema="plainprogram")))
    file = tmp_path / "ranking.py"
    file.write_text(PROGRAM, encoding="utf-8")
    env = {
        **os.environ,
        "ORQUESTRAX_HOME": str(tmp_path / "home"),
        "ORQUESTRAX_DATABASE_URL": dsn,
        "ORQUESTRAX_NAMESPACE": "plainprogram",
    }
    with subprocess.Popen(
        [sys.executable, file], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert [first.stdout.readline(), first.stdout.readline()] == ["square 1\n", "square 2\n"]
        first.send_signal(signal.SIGKILL)
    second = subprocess.run(
        [sys.executable, file],
        cwd=tmp_path,
        env={**env, "HURRY": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "resumed ranked" in second.stderr
    *bodies, result = second.stdout.splitlines()
    assert result == "[3, 2, 1]"
    assert bodies in (["square 2", "square 3"], ["square 1", "square 2", "square 3"])  # 1 may not be written
