"""This machine and this process, as other incarnations can recognise them.

Each incarnation holds a POSIX record lock on `<home>/run/<database>/<fence>.lock` for as long as its process lives;
databases that share a home number their nodes independently, so each has a folder of its own there. Whoever
gets the lock of an incarnation of the same boot and the same home knows that its process is dead: no lease has to
run out. Such locks belong to a process, and closing any descriptor of the file drops them, so incarnations of one's
own process are never probed and their files never opened a second time. A missing file proves nothing.
"""

from __future__ import annotations

import fcntl
import os
import socket
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from orquestrax.base.errors import SettingsError

_held: dict[Path, int] = {}


@dataclass(frozen=True, slots=True)
class Machine:
    """`boot_id` changes with every boot, `home_id` is a random id kept in the home, `run` the folder of the locks."""

    host: str
    boot_id: str
    home_id: str
    run: Path

    def lock_file(self, fence: int) -> Path:
        """Where the incarnation's lock is."""
        return self.run / f"{fence}.lock"

    def hold(self, fence: int) -> None:
        """Take the incarnation's lock, for as long as this process lives.

        Raises SettingsError if another process has it, which takes a copy of the database: fences are used once.
        """
        path = self.lock_file(fence)
        if self._hold_new(path):
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise SettingsError(
                f"{path} is locked by a node of another database with the same identity, such as a copy of this one: "
                "set ORQUESTRAX_HOME to a folder of its own for each"
            ) from error
        _held[path] = descriptor

    def _hold_new(self, path: Path) -> bool:
        """The file comes under its name with the lock on it: nobody who probes finds it free in between."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.link(draft, path)
        except OSError:  # it is there, or this file system has no links
            os.close(descriptor)
            return False
        finally:
            draft.unlink()
        _held[path] = descriptor
        return True

    def let_go(self, fence: int) -> None:
        """The incarnation has ended cleanly: its file goes."""
        path = self.lock_file(fence)
        descriptor = _held.pop(path, None)
        if descriptor is not None:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def is_dead(self, fence: int) -> bool:
        """Whether the process of an incarnation of this boot and home is certainly gone."""
        path = self.lock_file(fence)
        if path in _held:
            return False
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def forget(self, fence: int) -> None:
        """Remove the file of an incarnation that has been declared dead."""
        self.lock_file(fence).unlink(missing_ok=True)


def this_machine(home: Path, database: str) -> Machine:
    """The machine as seen from a home folder, which is made if it is not there, and by the nodes of one database.

    `database` is what `Database.identity` says. Raises SettingsError if the home cannot be written.
    """
    home = home.resolve()  # one spelling: our own files are known by their paths
    run = home / "run" / database
    try:
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        home_id = _home_id(home / "home.id")
    except OSError as error:
        raise SettingsError(
            f"the home {home} cannot be written ({error}): set ORQUESTRAX_HOME to a folder of yours"
        ) from error
    return Machine(socket.gethostname(), _boot_id(), home_id, run)


def _home_id(path: Path) -> str:
    """The id kept in the home; made once, also when several processes make it at the same time."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        draft.write_text(uuid.uuid4().hex, encoding="ascii")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


@cache
def _boot_id() -> str:
    """Linux tells it; elsewhere the second of the boot stands for it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"boot-{int(psutil.boot_time())}"
