"""What crashes leave behind, and that nobody has to clean it up by hand."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.core.store.embedded import server as server_module
from orquestrax.core.store.embedded.account import choose_account
from orquestrax.core.store.embedded.cluster import SUPERUSER
from orquestrax.core.store.embedded.postmaster import (
    lives,
    orphans,
    read_pid_file,
    running,
    works_in,
)
from orquestrax.core.store.embedded.sockets import PORT
from orquestrax.core.store.embedded.wire import Refused, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="LOUD: needs Linux (zombies are made by prctl)"
)


async def query(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def crash(data: Path) -> int:
    """Kill the postmaster as a loss of power would, and wait until its servers are gone; its pid."""
    pid = running(data).pid
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while lives(pid) or orphans(data):
        assert time.monotonic() < deadline
        time.sleep(0.003)
    return pid


@pytest.fixture
def strangers(data: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two other programs of the server's user, which even look around in its directory."""
    options = choose_account(data).spawn_options() | {"cwd": data}
    processes = [subprocess.Popen(["sleep", "600"], **options) for _ in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


async def test_a_killed_server_is_started_again_with_what_it_acknowledged(
    start: Callable, data: Path
) -> None:
    server = start()
    await query(server.dsn, "create table kept as select 42 as answer")
    pid = crash(data)
    again = start()
    assert running(data).pid != pid
    assert again == server
    assert await query(server.dsn, "select answer from kept") == 42


def claim(data: Path, pid: int) -> None:
    """Make the pid file that a crash left name another process."""
    path = data / "postmaster.pid"
    path.write_text("\n".join([str(pid), *path.read_text().split("\n")[1:]]))


async def test_a_pid_that_now_belongs_to_another_program(
    start: Callable, data: Path, strangers: list[subprocess.Popen[bytes]]
) -> None:
    server = start()
    crash(data)
    claim(data, strangers[0].pid)
    Path(server.host, f".s.PGSQL.{PORT}.lock").write_text(f"{strangers[1].pid}\n{data}\n")
    start()
    assert await query(server.dsn, "select 1") == 1
    assert [process.poll() for process in strangers] == [None, None]


@pytest.mark.verify
async def test_a_pid_that_now_belongs_to_the_server_of_another_home(
    start: Callable, data: Path, made: Path, place: Path
) -> None:
    subprocess.run(["cp", "-a", made, place / "other"], check=True)
    other = start(at=place / "other")
    other_pid = running(place / "other" / "postgres" / "data").pid
    server = start()
    crash(data)
    claim(data, other_pid)
    start()
    assert running(data).pid != other_pid
    assert await query(server.dsn, "select 1") == await query(other.dsn, "select 1") == 1
    assert lives(other_pid)


@needs_linux
def test_a_postmaster_that_became_a_zombie(user: Callable, home: Path, data: Path) -> None:
    first = user(preexec_fn=adopt_orphans)  # as a program does that runs as pid 1 of a container
    pid = running(data).pid
    crash(data)
    os.kill(pid, 0)  # it still has a pid, for nobody collects it
    assert read_pid_file(data).pid == pid
    assert not works_in(pid, data)
    first.ask("again")
    assert running(data).pid != pid


def adopt_orphans() -> None:
    set_child_subreaper = 36
    assert ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) == 0


async def test_a_socket_that_was_removed(start: Callable, data: Path) -> None:
    server = start()
    pid = running(data).pid
    Path(server.host, f".s.PGSQL.{PORT}").unlink()
    start()
    assert running(data).pid != pid
    assert await query(server.dsn, "select 1") == 1


async def test_a_server_that_hangs(start: Callable, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start()
    monkeypatch.setattr(server_module, "ANSWER_DEADLINE", 0.2)
    monkeypatch.setattr(server_module, "HARD", ((signal.SIGINT, 0.1), (signal.SIGKILL, 10.0)))
    pid = running(data).pid
    os.kill(pid, signal.SIGSTOP)
    start()
    assert running(data).pid != pid
    assert await query(server.dsn, "select 1") == 1


async def test_servers_that_outlive_their_postmaster_are_ended_first(start: Callable, data: Path) -> None:
    server = start()
    connection = await asyncpg.connect(server.dsn)
    busy = await connection.fetchval("select pg_backend_pid()")
    endless = connection.execute("do $$ begin loop null; end loop; end $$")
    task = asyncio.create_task(endless)
    await wait_until_active(server.dsn, busy)
    os.kill(running(data).pid, signal.SIGKILL)
    start()
    assert not lives(busy)
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await task
    assert await query(server.dsn, "select 1") == 1


async def wait_until_active(dsn: str, pid: int) -> None:
    connection = await asyncpg.connect(dsn)
    while await connection.fetchval("select state from pg_stat_activity where pid = $1", pid) != "active":
        pass
    await connection.close()


async def test_a_server_that_waits_for_its_clients_to_stop(start: Callable, data: Path) -> None:
    server = start()
    connection = await asyncpg.connect(server.dsn)
    pid = running(data).pid
    os.kill(pid, signal.SIGTERM)  # "smart": no new clients, and it ends with the last old one
    deadline = time.monotonic() + 20
    while running(data).status != "stopping":
        assert time.monotonic() < deadline
        time.sleep(0.003)
    start()
    assert running(data).pid != pid
    assert await query(server.dsn, "select 1") == 1
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.execute("select 1")


@pytest.mark.parametrize("content", ["", "rubbish\n", None])
@pytest.mark.parametrize("alive", [True, False])
async def test_a_pid_file_without_a_pid(
    start: Callable, data: Path, content: str | None, alive: bool
) -> None:
    server = start()
    pid = running(data).pid
    if not alive:
        crash(data)
    if content is None:
        (data / "postmaster.pid").unlink()
    else:
        (data / "postmaster.pid").write_text(content)
    start()
    assert running(data).pid != pid
    assert not lives(pid)
    assert await query(server.dsn, "select 1") == 1


async def test_data_that_a_server_out_of_sight_serves_is_refused(start: Callable, data: Path) -> None:
    """As from another container that shares the home: the socket answers, the pid means nothing here."""
    server = start()
    before = (data / "postmaster.pid").read_text()
    ended = subprocess.Popen(["true"])
    ended.wait()
    claim(data, ended.pid)
    with pytest.raises(EmbeddedServerError, match="cannot be seen from here") as caught:
        start()
    assert "ORQUESTRAX_HOME" in str(caught.value)
    assert await query(server.dsn, "select 1") == 1
    (data / "postmaster.pid").write_text(before)


def test_a_full_server_lives(start: Callable, data: Path) -> None:
    server = start()
    pid = running(data).pid
    taken = list(take_all(Path(server.host), server.database))
    with pytest.raises(EmbeddedServerError, match="refuses: sorry, too many clients"):
        start()
    assert running(data).pid == pid
    for session in taken:
        session.close()


def take_all(socket_dir: Path, database: str) -> Iterator[Session]:
    with suppress(Refused):
        while True:
            yield Session(socket_dir, PORT, user=SUPERUSER, database=database)


async def test_the_log_never_grows_without_bound(start: Callable, home: Path) -> None:
    log = home / "postgres" / "server.log"
    log.write_bytes(b"old\n" * 2**21)
    server = start()
    assert log.stat().st_size < 10_000
    assert (home / "postgres" / "server.log.1").stat().st_size == 4 * 2**20
    with pytest.raises(asyncpg.PostgresError):
        await query(server.dsn, "select no_such_column")
    assert "no_such_column" in log.read_text()
