"""The server that all tests share, and a database of one's own for each worker process.

The server is the embedded one; each process holds a reference, so it stops with the last of them.
ORQUESTRAX_TEST_DATABASE_URL names another server instead (say, PostgreSQL 15), as a user who may create databases.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import pytest

from orquestrax.core.store.embedded import EmbeddedServer, start_embedded
from orquestrax.replay import guard
from tests.homes import PROJECT, directory, shared_home

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Iterator
    from pathlib import Path

guard.install()  # before any workflow runs, so that the order of tests changes nothing
os.environ.setdefault("ORQUESTRAX_RECHECK", "0")  # a second process per worker would take the time of others


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that the machine cannot run says so loudly; in CI, whose machine must be able to, that is a failure."""
    report = yield
    if os.environ.get("CI") and report.skipped and "LOUD" in str(report.longrepr):
        report.outcome = "failed"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tables that tests recorded, `record_property("table", text)`, also in other processes."""
    for report in terminalreporter.stats.get("passed", []):
        for name, table in report.user_properties:
            if name == "table":
                terminalreporter.write_line("\n" + table)


@dataclass(frozen=True)
class ForeignServer:
    """A server of ORQUESTRAX_TEST_DATABASE_URL; nobody starts or stops it here."""

    dsn: str

    def stop(self) -> None: ...


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer | ForeignServer]:
    """The server of this run; `server.dsn` is the address of a database for maintenance."""
    if url := os.environ.get("ORQUESTRAX_TEST_DATABASE_URL"):
        yield ForeignServer(url)
        return
    with shared_home() as home:
        started = start_embedded(home=home, project=PROJECT)
        yield started
        started.stop()


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """A home in which a server has run, for tests with servers of their own: copying it is quicker than initdb."""
    path = directory()
    start_embedded(home=path / "home", project=path).stop()
    yield path / "home"
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def dsn(server: EmbeddedServer | ForeignServer) -> Iterator[str]:
    """The address of an empty database that belongs to this process alone."""
    name = f"ox_test_{os.getpid()}"
    _apart(_sweep(server.dsn))
    _apart(_execute(server.dsn, f"drop database if exists {name} with (force)", f"create database {name}"))
    head, _, query = server.dsn.partition("?")
    yield f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
    _apart(_execute(server.dsn, f"drop database if exists {name} with (force)"))


async def _sweep(dsn: str) -> None:
    """Drop what runs that were killed left behind: databases named after a process that is no more."""
    connection = await asyncpg.connect(dsn)
    try:
        for row in await connection.fetch(r"select datname from pg_database where datname ~ '^ox_test_\d+$'"):
            pid = int(row["datname"].rpartition("_")[2])
            if not _lives(pid):
                with suppress(
                    asyncpg.ObjectInUseError, asyncpg.InvalidCatalogNameError
                ):  # another sweeps too
                    await connection.execute(f"drop database if exists {row['datname']}")
    finally:
        await connection.close()


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _apart(work: Coroutine[None, None, None]) -> None:
    """Run it in a thread with a loop of its own, so that the test's loop is not touched."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
