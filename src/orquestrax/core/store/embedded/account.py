"""As whom the server runs. PostgreSQL refuses to run as root, so root needs another, existing user for it."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orquestrax.base.errors import EmbeddedServerError

if TYPE_CHECKING:
    from pathlib import Path

FALLBACKS = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user of the operating system. `switch` tells whether we must become it, as only root can."""

    uid: int
    gid: int
    name: str
    switch: bool

    def spawn_options(self) -> dict[str, Any]:
        """What to hand to `subprocess` so that a child runs as this user, in a place that everyone may enter."""
        options: dict[str, Any] = {"cwd": "/", "umask": 0o077, "stdin": -3}
        if self.switch:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def own(self, path: Path) -> None:
        """Give a directory that we just made to this user."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, directory: Path) -> bool:
        """Whether mode bits let this user reach the directory and enter it."""
        if not self.switch:
            return os.access(directory, os.X_OK)
        return all(self._has_x(place) for place in (directory, *directory.parents))

    def _has_x(self, directory: Path) -> bool:
        found = directory.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)


def choose_account(*places: Path) -> Account:
    """The account for the server whose data lies, or will lie, in the first of these places that exists.

    Ourselves, unless we are root. As root: the owner of that place, the user named by ORQUESTRAX_PG_USER,
    `postgres`, or `nobody`. Users are never added.
    """
    if os.geteuid() != 0:
        return _account(os.geteuid(), switch=False)
    for place in places:
        if place.exists() and (uid := place.stat().st_uid) != 0:
            return _account(uid, switch=True)
    if configured := os.environ.get("ORQUESTRAX_PG_USER"):
        return _configured(configured)
    for name in FALLBACKS:
        try:
            return _account(pwd.getpwnam(name).pw_uid, switch=True)
        except KeyError:
            continue
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody: "
        "name an existing user by ORQUESTRAX_PG_USER"
    )


def _configured(name: str) -> Account:
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        raise EmbeddedServerError(f"ORQUESTRAX_PG_USER={name} names no user of this system") from None
    if uid == 0:
        raise EmbeddedServerError(f"ORQUESTRAX_PG_USER={name} is root, as whom PostgreSQL does not run")
    return _account(uid, switch=True)


def _account(uid: int, *, switch: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # a container that runs as a bare number
        return Account(uid, uid if switch else os.getegid(), str(uid), switch)
    return Account(uid, entry.pw_gid, entry.pw_name, switch)
