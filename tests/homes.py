"""Where the servers of tests keep their data: in memory, where there is room. None of it matters after the run.

A disk takes milliseconds for each of the thousands of commits of a run, and nothing here loses power.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

PROJECT: Final = Path(__file__).parent.parent
MEMORY: Final = Path("/dev/shm")
ROOM: Final = 4 << 30
"""Bytes: `make verify` fills tables to a million rows."""
_PREFIX: Final = f"orquestrax-tests-{os.geteuid()}-"


def in_memory(room: int = ROOM) -> Path | None:
    """The directory for what should lie in memory, if there is room for it."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > room
    return MEMORY if roomy else None


def directory() -> Path:
    """A new one with a short, plain path that everybody may enter, unlike `tmp_path` of root."""
    path = Path(tempfile.mkdtemp(prefix="ox-", dir=in_memory(room=1 << 30)))
    path.chmod(0o755)
    return path


@contextmanager
def copied(made: Path) -> Iterator[Path]:
    """A new directory with a copy of this home as `home`, for a server of one's own without initdb."""
    path = directory()
    subprocess.run(["cp", "-a", made, path / "home"], check=True)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def shared_home() -> Iterator[Path]:
    """The home of the server that all workers of this run share.

    A run of several workers has one of its own in memory, which its last worker removes. A run of a few tests in one
    process uses what the last such run has made under `.artifacts`.
    """
    run, memory = os.environ.get("PYTEST_XDIST_TESTRUNUID"), in_memory()
    if run is None or memory is None:
        yield _kept()
        return
    _sweep(memory)
    home = memory / (_PREFIX + run)
    lock = _held(home.with_suffix(".lock"))
    try:
        yield home
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
        _remove(home)
        lock.close()


def _kept() -> Path:
    """A directory of this user's own; beside the checkout where that belongs to somebody else."""
    name = f"pg-{os.geteuid()}"
    if os.access(PROJECT, os.W_OK):
        return PROJECT / ".artifacts" / name
    return Path(tempfile.gettempdir()) / f"orquestrax-tests-{name}"


def _held(path: Path) -> BinaryIO:
    """The lock, shared: others hold it too, and nobody removes the home meanwhile."""
    while True:
        lock = path.open("ab")
        fcntl.flock(lock, fcntl.LOCK_SH)
        if path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
            return lock
        lock.close()  # it was removed before we had it


def _sweep(memory: Path) -> None:
    """Remove what runs that were killed left behind."""
    for home in {path.with_suffix("") for path in memory.glob(f"{_PREFIX}*")}:
        _remove(home)


def _remove(home: Path) -> None:
    """Remove the home and its lock, unless somebody holds that."""
    path = home.with_suffix(".lock")
    try:
        with path.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(home, ignore_errors=True)
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return
