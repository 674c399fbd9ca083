"""What cannot work ends in one sentence, and leaves no reference, server or half a directory behind."""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.core.store.embedded import default_home, sharing, start_embedded, watchdog
from orquestrax.core.store.embedded.cluster import environment, useful_line
from orquestrax.core.store.embedded.postmaster import running
from orquestrax.core.store.embedded.watchdog import rotate

if TYPE_CHECKING:
    from collections.abc import Callable

AS_ROOT = os.geteuid() == 0


def refusal(home: Path) -> str:
    """The sentence with which the start of the home's server fails."""
    with pytest.raises(EmbeddedServerError) as caught:
        start_embedded(home=home)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert home.resolve() / "postgres" not in sharing._holds
    return sentence


def test_a_home_that_cannot_be_made(place: Path) -> None:
    (place / "file").touch()
    sentence = refusal(place / "file" / "home")
    assert f"{place}/file" in sentence
    assert "ORQUESTRAX_HOME" in sentence


def test_a_home_that_may_not_be_written_to(
    new_home: Path, user: Callable, ordinary_user: dict[str, Any]
) -> None:
    new_home.mkdir()
    os.chown(new_home, ordinary_user.get("user", -1), -1)
    new_home.chmod(0o500)
    sentence = user(**ordinary_user).answer["error"]
    assert "Permission denied" in sentence
    assert "ORQUESTRAX_HOME" in sentence


@pytest.mark.skipif(not AS_ROOT, reason="LOUD: needs root, to mount a file system")
def test_a_read_only_home(new_home: Path) -> None:
    new_home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", new_home], check=True)
    try:
        assert "Read-only file system" in refusal(new_home)
    finally:
        subprocess.run(["umount", new_home], check=True)


@pytest.mark.skipif(not AS_ROOT, reason="LOUD: needs root, to mount a file system")
def test_a_full_disk(new_home: Path) -> None:
    new_home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", new_home], check=True)
    try:
        sentence = refusal(new_home)
        assert "No space left on device" in sentence
        assert [path.name for path in (new_home / "postgres").glob("data*")] == []
    finally:
        subprocess.run(["umount", new_home], check=True)


def limit_files() -> None:
    """As on a full disk: no file may grow over 100 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_initdb_that_fails(new_home: Path, user: Callable) -> None:
    sentence = user(preexec_fn=limit_files).answer["error"]
    assert sentence.startswith(f"initdb cannot make the data directory {new_home}/postgres/data: ")
    assert "File too large" in sentence
    assert [path.name for path in (new_home / "postgres").glob("data*")] == []


def test_data_that_cannot_be_served(home: Path, data: Path) -> None:
    (data / "global" / "pg_control").unlink()
    sentence = refusal(home)
    assert "could not find the database system" in sentence
    assert str(home / "postgres" / "server.log") in sentence
    assert running(data) is None


def test_a_directory_that_is_no_data(new_home: Path) -> None:
    data = new_home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "notes.txt").touch()
    assert "has no PG_VERSION: move it aside" in refusal(new_home)
    assert [path.name for path in data.iterdir()] == ["notes.txt"]


def test_an_empty_data_directory_is_filled(new_home: Path, user: Callable) -> None:
    (new_home / "postgres" / "data").mkdir(parents=True)
    assert "dsn" in user().answer


def test_a_start_of_another_process_that_does_not_end(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LOCK_DEADLINE", 0.05)
    with (home / "postgres" / "start.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sentence = refusal(home)
    assert "another process has held this lock" in sentence
    assert "start.lock" in sentence


def test_a_user_without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(EmbeddedServerError, match="ORQUESTRAX_HOME"):
        default_home()


def test_nothing_of_our_environment_bends_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGDATA", "PGPORT", "PGOPTIONS", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD", "LC_MESSAGES"):
        monkeypatch.setenv(name, "x")
    assert set(environment()) <= {"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LC_ALL", "TZ"}


async def test_the_environment_of_a_user_does_not_matter(
    start: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    connection = await asyncpg.connect(start().dsn)
    assert await connection.fetchval("show port") == "5432"
    await connection.close()


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("2026 [1] LOG:  hi\n2026 [1] FATAL:  could not map: No space\nHINT:  x", "could not map: No space"),
        ("initdb: error: could not create x: Denied\ninitdb: removing", "could not create x: Denied"),
        ("PANIC:  could not locate a valid checkpoint record", "could not locate a valid checkpoint record"),
        (
            "what:\npostgres: libz.so: cannot open shared object\n",
            "postgres: libz.so: cannot open shared object",
        ),
        ("first\nlast\n", "last"),
        ("", "it gave no reason"),
    ],
)
def test_the_useful_line(output: str, line: str) -> None:
    assert useful_line(output) == line


def test_a_log_over_the_limit_keeps_its_newest_part(place: Path) -> None:
    log = place / "server.log"
    log.write_bytes(b"".join(b"%07d\n" % number for number in range(1000)))
    with log.open("ab", buffering=0) as server:
        rotate(log, limit=800)
        assert log.with_name("server.log.1").read_bytes().split() == [b"%07d" % n for n in range(900, 1000)]
        server.write(b"more\n")  # the server never learns of it
    assert log.read_bytes() == b"more\n"
    rotate(log, limit=800)
    assert log.read_bytes() == b"more\n"


def test_a_log_that_cannot_be_rotated_is_left(place: Path) -> None:
    rotate(place / "none")
    log = place / "server.log"
    log.write_bytes(b"x" * 100)
    (place / "server.log.1").mkdir()
    rotate(log, limit=10)
    assert log.stat().st_size == 100


def test_the_watchdog_keeps_the_log_short_while_it_waits(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = place / "server.log"
    log.write_bytes(b"x" * (watchdog.LOG_LIMIT + 1))
    reader, writer = os.pipe()
    monkeypatch.setattr(watchdog, "PIPE", reader)
    waiting = threading.Thread(target=watchdog.wait_for_last_user, args=(log, 0.01))
    waiting.start()
    deadline = time.monotonic() + 20
    while log.stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.003)
    assert waiting.is_alive()
    os.close(writer)
    waiting.join(20)
    assert not waiting.is_alive()
    os.close(reader)
