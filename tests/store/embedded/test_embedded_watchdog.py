"""What the watchdog decides when the pipe ends, step by step; its life as a process is in test_embedded_users."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orquestrax.core.store.embedded import locks, watchdog
from orquestrax.core.store.embedded.postmaster import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orquestrax.core.store.embedded import EmbeddedServer


@pytest.fixture
def cluster(home: Path, start: Callable[..., EmbeddedServer]) -> Path:
    """The cluster directory of a running server, which this process uses."""
    start()
    return home / "postgres"


@pytest.fixture(autouse=True)
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A pipe that nobody holds any more, as the watchdog's."""
    reader, writer = os.pipe()
    os.close(writer)
    monkeypatch.setattr(watchdog, "PIPE", reader)
    yield reader
    with contextlib.suppress(OSError):
        os.close(reader)


def test_a_user_that_came_meanwhile_keeps_the_server(cluster: Path, pipe: int) -> None:
    assert watchdog.end(cluster) is False
    assert running(cluster / "data") is not None
    os.fstat(pipe)  # it watches on


def test_after_the_last_user_it_stops_the_server(cluster: Path, pipe: int, watchdogs: Callable) -> None:
    with without_users(cluster):
        assert watchdog.end(cluster) is True
    assert running(cluster / "data") is None


def test_its_pipe_is_closed_before_the_next_user_may_look(
    cluster: Path, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    @contextlib.contextmanager
    def observed(path: Path) -> Iterator[None]:
        with locks.locked(path):
            yield
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(pipe)
            seen.append(True)

    monkeypatch.setattr(watchdog, "locked", observed)
    with without_users(cluster):
        assert watchdog.end(cluster) is True
    assert seen == [True]


@contextlib.contextmanager
def without_users(cluster: Path) -> Iterator[None]:
    """Put a lock file in place that nobody holds."""
    users = cluster / "users.lock"
    held = users.rename(cluster / "held.lock")
    users.touch(0o600)
    yield
    held.rename(users)


def test_a_lock_can_be_had_only_once(place: Path) -> None:
    path = place / "lock"
    path.touch()
    with path.open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not locks.nobody_holds(path)
        with pytest.raises(TimeoutError, match="another process"), locks.locked(path, seconds=0.01):
            pass
        fcntl.flock(other, fcntl.LOCK_UN)
        with locks.locked(path):
            assert not locks.nobody_holds(path)
        assert locks.nobody_holds(path)


FORKED = """
import ctypes, os, sys
from pathlib import Path
from orquestrax.core.store.embedded.layout import prepare
from orquestrax.core.store.embedded.locks import locked, nobody_holds, open_file
from orquestrax.core.store.embedded.reference import Reference

layout = prepare(Path(sys.argv[1]))
os.close(open_file(layout.start_lock, os.O_RDWR))
reader, writer = os.pipe()
reference = Reference(layout)
with locked(layout.start_lock):
    if ctypes.PyDLL(None).fork() == 0:  # as a library may, of which Python never hears
        os.close(writer)
        os.read(reader, 1)  # until the parent ends
        os._exit(0)
print(nobody_holds(layout.start_lock), reference.let_go())
"""


def test_locks_are_let_go_although_a_forked_child_has_copies(new_home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, new_home],
        env={"PYTHONPATH": os.pathsep.join([str(Path(locks.__file__).parents[4]), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True"]
