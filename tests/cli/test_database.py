"""`db …`, also on a server that asks for a password and listens on a port."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orquestrax.core.store.embedded import start_embedded
from orquestrax.core.store.embedded.account import choose_account
from orquestrax.core.store.embedded.binaries import find_binaries
from orquestrax.core.store.embedded.copies import reachable

from .conftest import SCRIPT, Result, Running

Ox = Callable[..., Result]
PASSWORD = "open:sesame/@ü"
QUOTED = "open%3Asesame%2F%40%C3%BC"


@dataclass
class Guarded:
    """A PostgreSQL on a port that takes nobody without the password."""

    port: int

    def url(self, database: str, password: str = QUOTED) -> str:
        return f"postgresql://ada:{password}@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    """Started as the launcher does it: as another user than root, from binaries that this one can reach."""
    with tempfile.TemporaryDirectory(prefix="ox-") as place, socket.create_server(("127.0.0.1", 0)) as taken:
        home = Path(place)
        home.chmod(0o755)
        account = choose_account(home)
        bindir = reachable(find_binaries(), account).bindir
        (home / "password").write_text(PASSWORD)
        (home / "password").chmod(0o644)
        (home / "all").mkdir()
        account.own(home / "all")
        options = account.spawn_options() | {"env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        initdb = [
            bindir / "initdb",
            "-D",
            home / "all/data",
            "-U",
            "ada",
            "--auth=scram-sha-256",
            "--no-sync",
        ]
        subprocess.run([*initdb, f"--pwfile={home / 'password'}"], check=True, capture_output=True, **options)
        port = taken.getsockname()[1]
        taken.close()
        control = [bindir / "pg_ctl", "-D", home / "all/data", "-w", "-s"]
        settings = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        subprocess.run([*control, "-o", settings, "-l", home / "all/log", "start"], check=True, **options)
        yield Guarded(port)
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, **options)


def test_wrong_password(ox: Ox, guarded: Guarded) -> None:
    refused = ox("list", "--database", guarded.url("postgres", "wrong"))
    refused.refused(
        1, rf"PostgreSQL at postgresql://ada:…@127.0.0.1:{guarded.port}/postgres refuses the user or password"
    )
    assert "wrong" not in refused.err
    ox("db", "migrate", "--database", guarded.url("fresh", "wrong")).refused(
        1, "refuses the user or password"
    )


def test_a_database_from_nothing(ox: Ox, guarded: Guarded) -> None:
    """migrate makes the database; psql gets there with the password and in the schema; reset wants the name."""
    url = guarded.url("orders")
    ox("list", "--database", url).refused(
        1, "there is no such database at .*: create it with `orquestrax db migrate`"
    )
    made = ox("db", "migrate", "--database", url, "--namespace", "shop")
    assert made.status == 0
    assert made.told
    assert all(line.startswith("migrated: ") for line in made.told)
    assert PASSWORD not in made.err
    assert QUOTED not in made.err
    assert ox("db", "migrate", "--database", url, "--namespace", "shop").told == [
        "up to date: nothing to migrate"
    ]
    ox("run", "flows.py:double", "--id", "d", "--database", url, "--namespace", "shop")

    query = ["-AtX", "-c", "select id from instances"]
    listed = ox("db", "psql", "--database", url, "--namespace", "shop", "--", *query)
    assert (listed.status, listed.out) == (0, "d\n")
    assert ox("db", "psql", "--database", url, "--", "-c", "nonsense").status == 1

    reset = [SCRIPT, "db", "reset", "--database", url, "--namespace", "shop"]
    kept = subprocess.run([*reset, "--yes"], input="order\n", capture_output=True, text=True, check=False)
    assert kept.returncode == 2
    assert kept.stderr.splitlines()[-1] == "error: nothing was deleted: orders was not typed"
    assert ox("list", "--json", "--database", url, "--namespace", "shop").json
    done = subprocess.run(reset, input="orders\n", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "reset: the schema is empty")
    assert ox("list", "--json", "--database", url, "--namespace", "shop").json == []


def test_status(namespace: str, ox: Ox) -> None:
    ox("run", "flows.py:double")
    found = ox("db", "status", "--json").json
    assert found["schema"] == namespace
    assert found["migration"] == found["newest"] > 0
    assert found["instances"] == {"pending": 1}
    assert found["nodes"] == 0
    assert found["bytes"] > 0
    assert "instances  1 pending" in ox("db", "status").out
    empty = ox("db", "status", "--namespace", "nothing_here")
    assert "run `orquestrax db migrate`" in empty.out


def test_no_reset_under_a_living_node(namespace: str, ox: Ox, spawn: Callable[..., Running]) -> None:
    node = spawn("start", "flows.py", "--roles", "engine")
    node.until("serves")
    ox("db", "reset").refused(1, "1 node works on this schema: stop them first")
    assert node.end(2).status == 0


def test_the_data_of_the_embedded_server_alone_is_upgraded(ox: Ox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQUESTRAX_DATABASE_URL", "postgresql://db.example/orders")
    ox("db", "upgrade").refused(2, "comes from ORQUESTRAX_DATABASE_URL and is not the embedded one")
    monkeypatch.delenv("ORQUESTRAX_DATABASE_URL")
    with tempfile.TemporaryDirectory(prefix="ox-") as home:
        monkeypatch.setenv("ORQUESTRAX_HOME", home)
        assert ox("db", "upgrade").told == ["up to date: nothing to upgrade"]


@pytest.mark.verify
def test_reset_of_the_embedded_server(folder: Path, ox: Ox, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="ox-") as home:
        Path(home).chmod(0o755)
        monkeypatch.setenv("ORQUESTRAX_HOME", home)
        server = start_embedded(home=Path(home), project=folder)  # or each command would start and stop it
        ox("run", "flows.py:double", "--id", "d")
        asked = subprocess.run(
            [SCRIPT, "db", "reset"], input="no\n", capture_output=True, text=True, timeout=60, check=False
        )
        assert (asked.returncode, asked.stderr.splitlines()[-1]) == (
            2,
            "error: nothing was deleted: yes was not typed",
        )
        assert len(ox("list", "--json").json) == 1
        assert ox("db", "reset", "--yes").told == ["reset: the schema is empty"]
        assert ox("list", "--json").json == []
        shown = ox("db", "psql", "--", "-AtX", "-c", "show search_path")
        assert (shown.status, shown.out) == (0, '"orquestrax",public\n')
        server.stop()
