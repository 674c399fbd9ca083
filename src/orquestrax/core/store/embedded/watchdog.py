"""The watchdog: a small process that stops the server when its last user is gone, however it went.

Every user process holds the write end of a named pipe and a shared lock. The kernel lets go of both when the process
ends, also by `kill -9`. The end of the pipe wakes the watchdog, the lock tells it the truth: if it gets the lock for
itself under the start lock, nobody is left.

It runs alone (see `BOOT` in reference.py), so it imports the standard library and its neighbour only. It belongs to
a session of its own: Ctrl-C in the user's terminal does not reach it.
"""

from __future__ import annotations

import fcntl
import os
import select

from .postmaster import locked, open_lock, stop

LOG_LIMIT = 4 * 2**20  # bytes; the log and one older part are kept
LOG_CHECK = 60.0  # seconds


def main(cluster: str) -> None:
    """Watch over the cluster directory; standard input is the read end of the pipe."""
    data, log = os.path.join(cluster, "data"), os.path.join(cluster, "server.log")
    while True:
        wait_for_the_last(log)
        with locked(os.path.join(cluster, "start.lock")):
            if nobody_left(cluster):
                stop(data)
                os.close(0)  # before the lock is let go: the next user must not take us for a living watchdog
                return
        wait_for_lock(cluster)


def wait_for_the_last(log: str) -> None:
    """Return when no process holds the pipe open any more; meanwhile keep the log short."""
    while True:
        ready, _, _ = select.select([0], [], [], LOG_CHECK)
        if ready and not os.read(0, 4096):
            return
        rotate(log)


def nobody_left(cluster: str) -> bool:
    users = open_lock(os.path.join(cluster, "users.lock"))
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(users)


def wait_for_lock(cluster: str) -> None:
    """Sleep while there are users that hold the lock but not the pipe, so that we never spin."""
    users = open_lock(os.path.join(cluster, "users.lock"))
    try:
        fcntl.flock(users, fcntl.LOCK_EX)
    finally:
        os.close(users)


def rotate(log: str, limit: int = LOG_LIMIT) -> None:
    """Move what a log over the limit holds to `<log>.1` and empty it.

    It is copied and truncated, never renamed: the server appends to the open file and cannot be told of another.
    """
    try:
        size = os.path.getsize(log)
        if size <= limit:
            return
        with open(log, "r+b") as source, open(f"{log}.1", "wb") as target:
            source.seek(max(0, size - limit))
            target.write(source.read(limit))
            source.truncate(0)
    except OSError:
        return  # a log that cannot be rotated (disk full, directory removed) is no reason to stop watching
