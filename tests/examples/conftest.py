"""The examples as modules, and as programs of their own in a schema and a folder of a test."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.append(str(EXAMPLES))
_numbers = itertools.count()


class Program:
    """A program of examples/, and what it wrote."""

    def __init__(
        self, name: str, *arguments: str, folder: Path, environment: dict[str, str], stdin: int
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, EXAMPLES / name, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, part: str) -> str:
        """Read stderr up to this part; returns what was read."""
        assert self.process.stderr
        read = ""
        while part not in read:
            letter = self.process.stderr.read(1)
            assert letter, f"it ended without {part!r}: {read}"
            read += letter
        return read

    def end(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        """Exit status, stdout and stderr; after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def schema(dsn: str) -> Address:
    """A migrated schema of one's own."""
    address = Address(dsn=dsn, schema=f"examples{next(_numbers)}")
    asyncio.run(migrate(address))
    return address


@pytest.fixture
def program(schema: Address, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start an example as people do, in an empty folder."""
    environment = {
        "ORQUESTRAX_DATABASE_URL": schema.dsn,
        "ORQUESTRAX_NAMESPACE": schema.schema,
        "ORQUESTRAX_HOME": str(tmp_path / "home"),
        "COLUMNS": "100",
    }
    begun: list[Program] = []

    def begin(name: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> Program:
        begun.append(Program(name, *arguments, folder=tmp_path, environment=environment, stdin=stdin))
        return begun[-1]

    yield begin
    for each in begun:
        each.process.kill()
        each.process.communicate()
