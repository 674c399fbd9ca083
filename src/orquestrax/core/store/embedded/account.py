"""As whom the server runs. PostgreSQL refuses to run as root, so root needs another, existing user for it."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orquestrax.base.errors import EmbeddedServerError

if TYPE_CHECKING:
    from pathlib import Path

FALLBACKS = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user of the operating system; `switch` says that we are root and our children have to become it."""

    uid: int
    gid: int
    name: str
    switch: bool

    def spawn_options(self) -> dict[str, Any]:
        """What makes `subprocess` run a child as this user, in a directory that everybody may enter."""
        options: dict[str, Any] = {"cwd": "/", "umask": 0o077, "stdin": subprocess.DEVNULL}
        if self.switch:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def own(self, path: Path) -> None:
        """Give a directory of ours to this user."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, directory: Path) -> bool:
        """Whether this user can reach the directory and enter it, by the mode bits of the whole path."""
        if not self.switch:
            return os.access(directory, os.X_OK)
        real = directory.resolve()
        return all(self._may_pass(place.stat()) for place in (real, *real.parents))

    def _may_pass(self, found: os.stat_result) -> bool:
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)


def choose_account(*places: Path) -> Account:
    """The user that the server of these places (data, its directory, the home; those that exist) runs as.

    It is ourselves unless we are root. As root: the first of their owners that is not root, else the user
    named by ORQUESTRAX_PG_USER, `postgres`, or `nobody`. Users are never added.
    """
    if os.geteuid() != 0:
        return _account(os.geteuid(), switch=False)
    owners = [place.stat().st_uid for place in places if place.exists()]
    for uid in owners:
        if uid != 0:
            return _account(uid, switch=True)
    if configured := os.environ.get("ORQUESTRAX_PG_USER"):
        return _configured(configured)
    return _fallback()


def _configured(name: str) -> Account:
    uid = _uid(name)
    if uid is None:
        raise EmbeddedServerError(
            f"ORQUESTRAX_PG_USER={name} names no user of this system: name one that exists"
        )
    if uid == 0:
        raise EmbeddedServerError(f"ORQUESTRAX_PG_USER={name} is root, as whom PostgreSQL refuses to run")
    return _account(uid, switch=True)


def _fallback() -> Account:
    for uid in map(_uid, FALLBACKS):
        if uid:
            return _account(uid, switch=True)
    raise EmbeddedServerError(
        "PostgreSQL refuses to run as root, and this system has neither a user postgres nor nobody: "
        "name an existing user by ORQUESTRAX_PG_USER"
    )


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _account(uid: int, *, switch: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # containers may run as a bare number
        return Account(uid, uid if switch else os.getegid(), str(uid), switch)
    return Account(uid, entry.pw_gid, entry.pw_name, switch)
