"""The postmaster of a data directory: who it is, whether it lives, how it is stopped; and file locks.

Standard library only, and no import but relative ones: the watchdog runs this file in a bare interpreter, where
neither the package nor its dependencies are loaded.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long each signal gets before the next, harder one. A fast shutdown writes a checkpoint, so it gets longest.
SHUTDOWN = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
POLL = 0.003


@dataclass(frozen=True)
class PidFile:
    """What `postmaster.pid` says. It outlives its writer, so nothing in it proves that a server runs."""

    pid: int
    port: int
    socket_dir: str
    status: str  # "starting", "ready", "stopping", or "" where the writer did not come that far


def read_pid_file(data: str) -> PidFile | None:
    """The pid file of the data directory, None if there is none or its first line is no pid."""
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="utf-8", errors="surrogateescape") as file:
            lines = [*file.read().split("\n"), *[""] * 8]
        port = int(lines[3]) if lines[3].strip() else 0
        return PidFile(abs(int(lines[0])), port, lines[4], lines[7].strip())
    except (FileNotFoundError, ValueError):
        return None


def is_postmaster(pid: int, data: str) -> bool:
    """Whether the process is a living PostgreSQL that works in this data directory.

    A pid alone proves nothing: after a crash it may belong to any other program, or to a zombie that its parent
    never collects. Both still answer to signal 0.
    """
    if sys.platform == "linux":
        return _is_postmaster_linux(pid, data)
    shown = subprocess.run(  # noqa: S603
        ["/bin/ps", "-ww", "-o", "stat=,command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return "postgres" in shown and f" -D {data} " in f"{shown} " and not shown.startswith("Z")


def _is_postmaster_linux(pid: int, data: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
        return (
            name == "postgres" and rest.split()[0] not in "ZX" and os.path.samefile(f"/proc/{pid}/cwd", data)
        )
    except OSError:
        return False


def running(data: str) -> PidFile | None:
    """The pid file if the postmaster it names lives, else None."""
    found = read_pid_file(data)
    return found if found is not None and is_postmaster(found.pid, data) else None


def stop(data: str) -> None:
    """Shut the server of this data directory down, harder each time it does not obey; no-op if none runs.

    Hold the start lock: without it another process may be starting the server.
    """
    found = running(data)
    if found is None:
        return
    for number, patience in SHUTDOWN:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, number)
        if wait_for_exit(found.pid, data, patience):
            break
    if not os.path.samefile(os.path.dirname(found.socket_dir) or "/", os.path.dirname(data)):
        with contextlib.suppress(OSError):  # a socket directory that stands apart is not left behind
            os.rmdir(found.socket_dir)


def wait_for_exit(pid: int, data: str, seconds: float) -> bool:
    """Wait until the postmaster has ended, at most so many seconds; whether it has."""
    deadline = time.monotonic() + seconds
    if hasattr(os, "pidfd_open"):
        _wait_on_descriptor(pid, seconds)
    while is_postmaster(pid, data):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _wait_on_descriptor(pid: int, seconds: float) -> None:
    """Sleep until the process ends. Where the kernel knows no such descriptors, the caller's polling remains."""
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            select.select([descriptor], [], [], seconds)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the file's exclusive lock. Start and stop happen under it, so neither ever sees half of the other."""
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: str) -> int:
    """A descriptor of the lock file, made if missing.

    A file that root makes in another user's directory is handed to that user, who is to lock it later.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    owner = os.stat(os.path.dirname(path))
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor
