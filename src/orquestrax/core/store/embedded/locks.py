"""File locks. The kernel lets go of them when their holder ends, however it ends.

Standard library only: the watchdog runs this file in a bare interpreter.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL = 0.003  # seconds


@contextlib.contextmanager
def locked(path: Path, *, seconds: float = math.inf) -> Iterator[None]:
    """Hold the exclusive lock of the file, which must exist.

    Raises `TimeoutError` if it is not to be had in so many seconds, `FileNotFoundError`.

    The lock is undone, not only closed: a child that was forked meanwhile holds a copy of the descriptor.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + seconds
        while not try_exclusive(descriptor):
            if time.monotonic() > deadline:
                message = f"another process has held this lock for {seconds:.0f} s"
                raise TimeoutError(errno.ETIMEDOUT, message, str(path))
            time.sleep(POLL)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def try_exclusive(descriptor: int) -> bool:
    """Take the exclusive lock unless somebody else holds any lock; whether we have it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def nobody_holds(path: Path) -> bool:
    """Whether no process holds a lock of the file at this moment. Raises `FileNotFoundError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return try_exclusive(descriptor)
    finally:
        os.close(descriptor)


def open_file(path: Path, flags: int) -> int:
    """A descriptor of the file, which is made if missing, for its directory's owner alone.

    What root makes in another user's directory is handed to that user, who is to open it later. Links are not
    followed, so that nobody leads root elsewhere.
    """
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags)
    descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor
