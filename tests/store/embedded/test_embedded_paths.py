"""Homes whose path cannot hold a socket."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.core.store.embedded import sockets
from orquestrax.core.store.embedded.binaries import find_binaries
from orquestrax.core.store.embedded.layout import prepare
from orquestrax.core.store.embedded.postmaster import running
from orquestrax.core.store.embedded.sockets import LIMIT, PORT, holds_socket, make_socket_dir, runtime_dir

if TYPE_CHECKING:
    from collections.abc import Callable

ODD = [
    "with space",
    "comma,comma",
    "quo\"te's",
    "back\\slash",
    "ünïcödé 🚀",
    "%41",
    " trimmed ",
    "@x",
]


@pytest.mark.parametrize("name", [*ODD, "/".join(["long" * 10] * 4)], ids=repr)
async def test_any_path_serves_asyncpg_and_psql(name: str, start: Callable, home: Path) -> None:
    moved = home.parent / name / "home"
    moved.parent.mkdir(parents=True)
    home.rename(moved)
    server = start(at=moved, project=moved.parent)
    assert Path(server.host).parent != moved / "postgres"
    connection = await asyncpg.connect(server.dsn)
    assert await connection.fetchval("select current_database()") == server.database
    await connection.close()
    psql = find_binaries().bindir / "psql"
    shown = subprocess.run([psql, server.dsn, "-Atc", "select 1"], capture_output=True, text=True, check=True)
    assert shown.stdout == "1\n"
    assert start(at=moved, project=moved.parent) == server  # attaches by what the pid file says
    server.stop()


def test_a_line_break_is_refused(place: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"line break.*ORQUESTRAX_HOME") as caught:
        prepare(place / "new\nline")
    assert "\n" not in str(caught.value)


def test_a_socket_directory_apart_does_not_stay_behind(start: Callable, home: Path) -> None:
    moved = home.rename(home.with_name("h o m e"))
    server = start(at=moved)
    assert Path(server.host).is_dir()
    server.stop()
    assert running(moved / "postgres" / "data") is None
    assert not Path(server.host).exists()


def test_the_limit_is_that_of_the_kernel(place: Path) -> None:
    name = f".s.PGSQL.{PORT}"
    room = LIMIT - len(os.fsencode(place)) - len(name) - 2
    fits, too_long = place / ("d" * room), place / ("d" * (room + 1))
    for directory, works in ((fits, True), (too_long, False)):
        directory.mkdir()
        assert holds_socket(directory) is works
        with socket.socket(socket.AF_UNIX) as listener:
            assert binds(listener, str(directory / name)) is works


def binds(listener: socket.socket, path: str) -> bool:
    try:
        listener.bind(path)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("fault", ["open to others", "a link", "a file"])
def test_a_directory_that_somebody_else_may_have_made_is_refused(fault: str, place: Path) -> None:
    layout = prepare(place / "odd home")
    path = runtime_dir(layout.cluster)
    match fault:
        case "open to others":
            path.mkdir()
            layout.account.own(path)
            path.chmod(0o777)
        case "a link":
            path.symlink_to(place)
        case "a file":
            path.touch(0o600)
            layout.account.own(path)
    try:
        with pytest.raises(EmbeddedServerError, match="with mode 0700: remove it"):
            make_socket_dir(layout)
    finally:
        path.rmdir() if fault == "open to others" else path.unlink()


def test_a_long_directory_for_temporary_files_is_passed_over(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = place / ("t" * 100)
    long.mkdir()
    monkeypatch.setattr(sockets.tempfile, "tempdir", str(long))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert runtime_dir(place).parent == Path("/tmp")


def test_homes_of_one_name_do_not_meet(place: Path) -> None:
    assert runtime_dir(place / "a" / "postgres") != runtime_dir(place / "b" / "postgres")
    assert runtime_dir(place / "a" / "postgres") == runtime_dir(place / "a" / "postgres")


def test_a_run_directory_that_was_opened_is_closed_again(start: Callable, home: Path) -> None:
    start().stop()
    (home / "postgres" / "run").chmod(0o777)
    server = start()
    assert Path(server.host).stat().st_mode & 0o777 == 0o700
