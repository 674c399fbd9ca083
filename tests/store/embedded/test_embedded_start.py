"""A server from nothing: what it is, what it keeps, whom it serves."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestrax.core.store.embedded import default_home, layout, start_embedded
from orquestrax.core.store.embedded.binaries import find_binaries
from orquestrax.core.store.embedded.cluster import UNFINISHED
from orquestrax.core.store.embedded.layout import database_name, slug
from orquestrax.core.store.embedded.postmaster import running

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "TimeZone": "UTC",
    "server_encoding": "UTF8",
    "unix_socket_permissions": "0700",
}


async def fetch(dsn: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


async def test_the_shared_server_answers_on_this_process_own_database(dsn: str) -> None:
    [row] = await fetch(dsn, "select current_database() as name")
    assert row["name"] == f"ox_test_{os.getpid()}"


async def test_a_server_from_nothing_is_durable_and_private(new_home: Path) -> None:
    server = start_embedded(home=new_home)  # blocks, which is allowed within a running loop
    shown = {name: (await fetch(server.dsn, f"show {name}"))[0][0] for name in SETTINGS}
    assert shown == SETTINGS
    assert server.version == (await fetch(server.dsn, "show server_version"))[0][0].split()[0]
    for directory in (new_home / "postgres" / "data", Path(server.host)):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    server.stop()
    assert running(new_home / "postgres" / "data") is None


async def test_text_sorts_and_folds_the_same_on_every_system(start: Callable) -> None:
    server = start()
    major = int(server.version.split(".")[0])
    [row] = await fetch(server.dsn, "select * from pg_database where datname = current_database()")
    assert row["datcollate"] == row["datctype"] == "C"
    if major >= 17:
        assert row["datlocprovider"] == b"b"
        assert row["datlocale"] == "C.UTF-8"
        assert (await fetch(server.dsn, "select upper('straße é')"))[0][0] == "STRASSE É".replace("SS", "ß")


def test_psql_takes_the_same_address(start: Callable) -> None:
    psql = find_binaries().bindir / "psql"
    shown = subprocess.run(
        [psql, start().dsn, "-Atc", "select current_user"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "orquestrax"


async def test_data_is_kept_between_runs(start: Callable, postmaster: Callable, data: Path) -> None:
    first = start()
    await fetch(first.dsn, "create table kept as select 42 as answer")
    pid = postmaster()
    first.stop()
    assert running(data) is None
    second = start()
    assert postmaster() != pid
    assert (await fetch(second.dsn, "select answer from kept"))[0][0] == 42


def test_users_of_one_process_share_the_server(start: Callable, data: Path) -> None:
    first, second = start(), start()
    assert first == second
    first.stop()
    first.stop()  # again: it is not the second one's share
    assert running(data) is not None
    second.stop()
    assert running(data) is None


async def test_each_project_folder_has_a_database(start: Callable, place: Path) -> None:
    one, other, link = place / "one" / "Shop", place / "other" / "Shop", place / "link"
    one.mkdir(parents=True)
    other.mkdir(parents=True)
    link.symlink_to(one)
    servers = [start(project=project) for project in (one, other, link)]
    names = [(await fetch(server.dsn, "select current_database()"))[0][0] for server in servers]
    assert names == [server.database for server in servers]
    assert names[0].startswith("shop_")
    assert names[0] != names[1]
    assert names[0] == names[2]


@given(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=120))
def test_any_folder_gives_a_plain_name(folder: str) -> None:
    name = database_name(Path("/nowhere") / folder)
    assert re.fullmatch(r"[a-z0-9_]{10,49}", name)
    assert name.startswith(slug(Path(f"/nowhere/{folder}").resolve().name))


def test_the_working_directory_is_the_project(
    start: Callable, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert start(project=None).database == database_name(place)


def test_default_home(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_home() == layout.ROOT_HOME
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_home() == Path("/home/ada/.local/share/orquestrax")
    monkeypatch.setenv("ORQUESTRAX_HOME", "~/ox")
    assert default_home() == Path("/home/ada/ox")
    monkeypatch.chdir(place)
    monkeypatch.setenv("ORQUESTRAX_HOME", "here")
    assert default_home() == place.resolve() / "here"


def test_a_start_that_is_killed_half_way_leaves_nothing_behind(user: Callable, data: Path) -> None:
    victim = user(wait=False)
    deadline = time.monotonic() + 30
    while not list(data.parent.glob(f"{UNFINISHED}*/base")):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    victim.process.send_signal(signal.SIGKILL)
    victim.process.wait()
    assert not data.exists()
    assert "dsn" in user().answer
    assert not list(data.parent.glob(f"{UNFINISHED}*"))
