"""A process's hold on the server: a shared lock that counts it, and a pipe that wakes the watchdog."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

from .cluster import environment
from .locks import nobody_holds, open_file

if TYPE_CHECKING:
    from .layout import Layout

# The watchdog is to be small and quick to start, so it gets a bare interpreter, and in place of the package
# and all that it imports an empty one of the same directory, in which relative imports work.
BOOT = (
    "import sys, types; package = types.ModuleType('embedded'); package.__path__ = [sys.argv[1]]; "
    "sys.modules['embedded'] = package; from embedded.watchdog import main; main(sys.argv[2])"
)
# What a shell starts in the background gets no standard input unless that comes by another descriptor.
SPAWN = "trap '' HUP INT TERM; exec 3<&0; exec \"$@\" <&3 3<&- &"


class Reference:
    """Taken, watched and let go under the start lock. It ends with its process, whatever ends that."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._pipe: int | None = None
        self._lock: int | None = open_file(layout.users_lock, os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def is_current(self) -> bool:
        """Whether our lock file is the one that others look at, and not one of a home that was removed."""
        try:
            return self._lock is not None and os.path.samestat(
                os.fstat(self._lock), self._layout.users_lock.stat()
            )
        except FileNotFoundError:
            return False

    def watch(self) -> None:
        """Hold the pipe to a living watchdog; start one if there is none, or ours was killed."""
        if self._pipe is not None and _has_reader(self._pipe):
            return
        self._close_pipe()
        if not self._layout.pipe.exists():
            self._make_pipe()
        try:
            self._pipe = os.open(self._layout.pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads
                raise
            self._start_watchdog()

    def let_go(self) -> bool:
        """Give the reference up; whether it was the last one.

        The lock is undone, not only closed: a child forked behind Python's back holds a copy of the
        descriptor.
        """
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        self.drop()
        return nobody_holds(self._layout.users_lock)

    def drop(self) -> None:
        """Close the descriptors, as the end of the process would."""
        self._close_pipe()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _make_pipe(self) -> None:
        os.mkfifo(self._layout.pipe, 0o600)
        owner = self._layout.cluster.stat()
        os.chown(self._layout.pipe, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def _start_watchdog(self) -> None:
        """Open both ends before the watchdog gets one, so that it never finds the pipe without a user."""
        reader = os.open(self._layout.pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._pipe = os.open(self._layout.pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            package = str(Path(__file__).parent)
            watchdog = [_interpreter(), "-ISc", BOOT, package, str(self._layout.cluster)]
            subprocess.run(  # noqa: S603
                ["/bin/sh", "-c", SPAWN, "sh", *watchdog],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
                cwd="/",
                env=environment(),
                start_new_session=True,
            )
        finally:
            os.close(reader)

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def _has_reader(pipe: int) -> bool:
    poll = select.poll()
    poll.register(pipe, 0)  # errors and hang-ups are told unasked
    return not poll.poll(0)


def _interpreter() -> str:
    """A Python for the watchdog: ours, unless we are embedded in another program."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (sys.executable, str(Path(sys.base_prefix, "bin", version)), shutil.which("python3")):
        if found and "python" in Path(found).name and os.access(found, os.X_OK):
            return found
    raise EmbeddedServerError(
        "the embedded server needs a Python interpreter for its watchdog: put python3 on the PATH, or name a "
        "database by ORQUESTRAX_DATABASE_URL"
    )
