"""Commands in this process and in processes of their own, each test in a schema and a folder of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orquestrax.cli.app import app
from orquestrax.cli.failing import call
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.core.store.statements import statement
from tests.store.support import NODE

_numbers = itertools.count()
PATIENCE = 40.0  # seconds
SCRIPT = Path(sys.executable).with_name("orquestrax")
FLOWS = '''
import asyncio
from dataclasses import dataclass

import orquestrax as ox


@dataclass
class Order:
    id: str
    amount: float = 1.0


@ox.step(retry=ox.Retry(attempts=2, initial=0.2, jitter=0))
async def charge(order: Order) -> str:
    if ox.step_info().attempt == 1:
        raise ConnectionError("the bank is closed")
    print("charging", order.id)
    return f"charged {order.amount:g}"


@ox.workflow
async def fulfil(order: Order, note: str = "-") -> str:
    """Charge, then wait for approval."""
    receipt = await charge(order)
    if not await ox.receive("approval", bool):
        raise ox.Rejected("not approved")
    return f"{receipt} {note}"


@ox.workflow
async def double(n: int = 21) -> int:
    return 2 * n


@ox.workflow
async def pause(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"


@ox.workflow
async def odd() -> object:
    return object()
'''


@dataclass
class Result:
    """What a command came to. `told` is stderr without the line that names the database."""

    status: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        return [line for line in self.err.splitlines() if not line.startswith("database: ")]

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)

    def refused(self, status: int, sentence: str) -> None:
        """It ended with this status and one sentence, and printed nothing else."""
        assert len(self.told) == 1, self.err
        assert re.search(sentence, self.told[0]), self.err
        assert self.told[0].startswith("error: ")
        assert (self.status, self.out) == (status, "")


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; pytest's time limit is the deadline."""
    while not condition():
        time.sleep(0.02)


@pytest.fixture(scope="session")
def schema(dsn: str) -> Callable[[], str]:
    """Make a schema of this release; its name."""

    def make() -> str:
        name = f"cli_{next(_numbers)}"
        asyncio.run(migrate(Address(dsn=dsn, schema=name)))
        return name

    return make


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module of workflows; no settings from outside."""
    for name in [name for name in os.environ if name.startswith("ORQUESTRAX_") or name == "DATABASE_URL"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows.py").write_text(FLOWS)
    return tmp_path


@pytest.fixture
def namespace(folder: Path, dsn: str, schema: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The schema that commands of this test work on."""
    return _in_force(schema(), dsn, monkeypatch)


@pytest.fixture(scope="session")
def untouched(schema: Callable[[], str]) -> str:
    """A schema for commands that write nothing."""
    return schema()


@pytest.fixture
def nothing_written(
    folder: Path, dsn: str, untouched: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Commands of this test work on a schema that holds nothing, neither before nor after."""
    _in_force(untouched, dsn, monkeypatch)
    yield
    assert asyncio.run(_count(dsn, untouched)) == 0


def _in_force(schema: str, dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ORQUESTRAX_DATABASE_URL", dsn)
    monkeypatch.setenv("ORQUESTRAX_NAMESPACE", schema)
    return schema


@pytest.fixture
def ox(folder: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run a command in this process."""

    def run(*arguments: str) -> Result:
        capfd.readouterr()
        before = dict(sys.modules)
        stop = threading.Timer(PATIENCE, os.kill, (os.getpid(), signal.SIGTERM))
        stop.start()  # a command that waits for ever takes orders, and not the test's time limit
        try:
            status = call(app, arguments)
        finally:
            stop.cancel()
        for name in sys.modules.keys() - before.keys():  # the next command is a new process to its modules
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        out, err = capfd.readouterr()
        return Result(status, out, err)

    return run


class Running:
    """A command in a process of its own; what it says on stderr can be waited for."""

    def __init__(self, *arguments: str | bytes, **options: Any) -> None:
        settings = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | options
        self.process = subprocess.Popen([SCRIPT, *arguments], text=True, **settings)
        self.said: list[str] = []

    def until(self, pattern: str) -> re.Match[str]:
        """Read stderr up to a line that matches."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"it ended without {pattern!r}: {self.said}")

    def end(self, number: signal.Signals | None = None) -> Result:
        """What it came to, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return Result(self.process.returncode, out, "\n".join([*self.said, err]))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def spawn(folder: Path) -> Iterator[Callable[..., Running]]:
    """Run a command in a process of its own, which is killed at the end."""
    running: list[Running] = []

    def begin(*arguments: str | bytes, **options: Any) -> Running:
        running.append(Running(*arguments, **options))
        return running[-1]

    yield begin
    for each in running:
        each.close()


@pytest.fixture
def count(dsn: str, namespace: str) -> Callable[[], int]:
    """How many instances there are."""
    return lambda: asyncio.run(_count(dsn, namespace))


async def _count(dsn: str, schema: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        found: int = await connection.fetchval(
            f"select (select count(*) from {schema}.instances) + (select count(*) from {schema}.inbox)"
        )
        return found
    finally:
        await connection.close()


@pytest.fixture
def registered(dsn: str, namespace: str) -> Callable[..., int]:
    """Put the row of a node there: how it stands is told by SQL, as its life would have told it."""

    def put(then: str = "", **columns: Any) -> int:
        return asyncio.run(_put(dsn, namespace, then, {**NODE, **columns}))

    return put


async def _put(dsn: str, schema: str, then: str, columns: dict[str, Any]) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        fence: int = await connection.fetchval(statement(schema, "register_node"), *columns.values())
        if then:
            await connection.execute(f"update {schema}.nodes set {then} where fence = {fence}")
        return fence
    finally:
        await connection.close()
