"""A process's hold on the server: the shared lock that counts, and the pipe that wakes the watchdog."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from .postmaster import open_lock

if TYPE_CHECKING:
    from .layout import Layout

# The watchdog is to be small and quick to start. So it gets a bare interpreter and, in place of the real package with
# all that it imports, an empty one of the same directory: relative imports work in it.
BOOT = (
    "import sys, types; package = types.ModuleType('embedded'); package.__path__ = [sys.argv[1]]; "
    "sys.modules['embedded'] = package; from embedded.watchdog import main; main(sys.argv[2])"
)


class Reference:
    """Taken and let go under the start lock. It ends with the process, whatever ends that."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = open_lock(str(layout.users_lock))
        self._pipe: int | None = None
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def watch(self) -> None:
        """Hold the pipe to the watchdog; start one if there is none."""
        if self._pipe is not None:
            return
        path = self._layout.pipe
        if not path.exists():
            os.mkfifo(path, 0o600)
        try:
            self._pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads
                raise
            self._pipe = self._start_watchdog()

    def _start_watchdog(self) -> int:
        """The read end is open before the write end, and inherited: at no time does the watchdog see an empty pipe."""
        reader = os.open(self._layout.pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            writer = os.open(self._layout.pipe, os.O_WRONLY | os.O_CLOEXEC)
            subprocess.run(  # noqa: S603
                ["/bin/sh", "-c", 'exec "$@" <&0 &', "sh", sys.executable, "-ISc", BOOT, os.path.dirname(__file__), str(self._layout.cluster)],
                stdin=reader, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd="/", env={},
                start_new_session=True,
            )  # fmt: skip
            return writer
        finally:
            os.close(reader)

    def let_go(self) -> bool:
        """Give the reference up; whether it was the last one."""
        self.drop()
        lock = open_lock(str(self._layout.users_lock))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        finally:
            os.close(lock)

    def drop(self) -> None:
        """Close the descriptors, as the end of the process would."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        os.close(self._lock)
