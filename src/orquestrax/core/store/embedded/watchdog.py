"""The watchdog: a small process that stops the server when its last user is gone, however it went.

Every user process holds the write end of a named pipe and a shared lock, and the kernel lets go of both when
the process ends, also by `kill -9`. The end of the pipe wakes the watchdog; the lock tells it the truth: if
it gets that for itself, while it holds the start lock, nobody is left.

It runs alone (see `BOOT` in reference.py), so it and its neighbours here import the standard library only. It
has a session of its own and ignores polite signals: what ends a terminal or a whole service ends the users
first, and the watchdog has yet to see to the server.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

from .locks import locked, nobody_holds
from .postmaster import stop

LOG_LIMIT = 4 * 2**20  # bytes; one older part of the same size is kept
LOG_CHECK = 60.0  # seconds between looks at the log
RECHECK = 0.05  # seconds; a process that ends closes its descriptors one after the other
PIPE = 0  # standard input


def main(directory: str) -> None:
    """Watch over the cluster directory until its server is stopped.

    It makes no file, and ends if the directory was removed: a server without its files ends by itself.
    """
    cluster = Path(directory)
    with contextlib.suppress(FileNotFoundError):
        while not end(cluster):
            time.sleep(RECHECK)


def end(cluster: Path) -> bool:
    """Wait for the last user's end, then stop the server; False if there is a new user by then."""
    wait_for_last_user(cluster / "server.log")
    with locked(cluster / "start.lock"):
        if nobody_holds(cluster / "users.lock"):
            stop(cluster / "data")
            os.close(PIPE)  # before the lock: the next user must not take us for its watchdog
            return True
    return False


def wait_for_last_user(log: Path, check: float = LOG_CHECK) -> None:
    """Return when no process holds the pipe open any more; until then, keep the log short."""
    while True:
        ready, _, _ = select.select([PIPE], [], [], check)
        if ready and not os.read(PIPE, 4096):
            return
        rotate(log)


def rotate(log: Path, limit: int = LOG_LIMIT) -> None:
    """Move a log that is over the limit to `<log>.1`, its newest part if need be, and empty it.

    It is copied and truncated, not renamed: the server has it open and cannot be told of another. A failure
    (disk full, directory removed) is no reason to stop watching.
    """
    try:
        if log.stat().st_size <= limit:
            return
        with log.open("r+b") as source:
            source.seek(-limit, os.SEEK_END)
            log.with_name(f"{log.name}.1").write_bytes(source.read(limit))
            source.truncate(0)
    except OSError:
        return
