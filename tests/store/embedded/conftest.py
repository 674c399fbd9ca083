"""Homes and users for the tests of the launcher, which works as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.homes import directory

from orquestrax.core.store.embedded import layout, start_embedded
from orquestrax.core.store.embedded.postmaster import HARD, running, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orquestrax.core.store.embedded import EmbeddedServer

SOURCE = Path(layout.__file__).parents[4]
USER = Path(__file__).with_name("user.py")
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(SOURCE), *sys.path])}
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORQUESTRAX_HOME", "ORQUESTRAX_PG_BINDIR", "ORQUESTRAX_PG_USER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where all of this test lies."""
    path = directory()
    yield path
    for data in path.glob("**/postgres/data"):
        stop(data, HARD)
    shutil.rmtree(path)


@pytest.fixture
def home(place: Path, made: Path) -> Path:
    """A home with data, in which no server runs."""
    subprocess.run(["cp", "-a", made, place / "home"], check=True)
    return place / "home"


@pytest.fixture
def new_home(place: Path) -> Path:
    """A home that does not exist yet."""
    return place / "home"


@pytest.fixture
def data(place: Path) -> Path:
    return place / "home" / "postgres" / "data"


@pytest.fixture(autouse=True)
def _own_root_home(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root keeps below /var/lib/orquestrax lies here for the tests."""
    monkeypatch.setattr(layout, "ROOT_HOME", place / "var")


@pytest.fixture
def start(home: Path, place: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    """`start_embedded` with this test's home; what it started is stopped at the end."""
    started: list[EmbeddedServer] = []

    def attach(at: Path = home, project: Path | None = place) -> EmbeddedServer:
        started.append(start_embedded(home=at, project=project))
        return started[-1]

    yield attach
    for server in started:
        server.stop()


@pytest.fixture
def postmaster(data: Path) -> Callable[[], int]:
    """The pid of the home's living postmaster."""

    def pid() -> int:
        found = running(data)
        assert found is not None, "no server runs"
        return found.pid

    return pid


class User:
    """A process that uses the server; `answer` is what it told last."""

    def __init__(self, home: Path, **options: Any) -> None:
        self.process = subprocess.Popen(
            [options.pop("python", sys.executable), USER, home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
            **options,
        )
        self.answer: dict[str, Any] = {}

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout
        self.answer = json.loads(self.process.stdout.readline())
        return self.answer

    def ask(self, command: str) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.hear()

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            stream.close()


@pytest.fixture
def user(place: Path) -> Iterator[Callable[..., User]]:
    """Start a process that uses the home's server; it is killed at the end."""
    users: list[User] = []

    def begin(at: Path = place / "home", *, wait: bool = True, **options: Any) -> User:
        users.append(User(at, **options))
        if wait:
            users[-1].hear()
        return users[-1]

    yield begin
    for each in users:
        each.close()


def common_python() -> str | None:
    """A Python like ours that others may run, for ours may lie in root's own directory, as may all of this."""
    look = [f"open({str(USER)!r})", "import orquestrax"]
    for found in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        options = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "cwd": "/", "env": ENVIRONMENT}
        try:
            subprocess.run([found, "-c", "; ".join(look)], check=True, stderr=subprocess.DEVNULL, **options)
        except (OSError, subprocess.CalledProcessError):
            continue
        return found
    return None


@pytest.fixture
def ordinary_user() -> dict[str, Any]:
    """How to run a `user` that is not root: as ourselves, unless we are."""
    if os.geteuid() != 0:
        return {}
    python = common_python()
    if python is None:
        pytest.skip(
            f"needs a Python 3.{sys.version_info.minor}, its packages and this checkout open to user nobody"
        )
    return {"python": python, "user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}


@pytest.fixture
def watchdogs(place: Path) -> Callable[[], list[int]]:
    """The pids of the watchdogs of the home."""

    def pids() -> list[int]:
        listed = subprocess.run(
            ["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True
        )
        lines = listed.stdout.splitlines()
        return [
            int(line.split()[0])
            for line in lines
            if line.rstrip().endswith(f" {place.resolve()}/home/postgres")
        ]

    return pids
