"""Where things lie.

    HOME/postgres/            the cluster directory
        data/                 PGDATA: 0700, the server's user
        run/                  the socket: 0700, the server's user; elsewhere if a socket cannot be here
        server.log            what the server says; server.log.1 is what it said before
        start.lock            held, exclusively, over start and stop
        users.lock            held, shared, by every process that uses the server
        watchdog.pipe         its write end is held by every user, its read end by the watchdog

As root, with a home that is closed to the server's user, `HOME/postgres` is a link to a directory of its own
under /var/lib/orquestrax: the permissions of what others made are left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orquestrax.base.errors import EmbeddedServerError

from .account import Account, choose_account

ROOT_HOME = Path("/var/lib/orquestrax")


@dataclass(frozen=True)
class Layout:
    """The places of one cluster, and the account that its server runs as."""

    cluster: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.cluster / "data"

    @property
    def log(self) -> Path:
        return self.cluster / "server.log"

    @property
    def start_lock(self) -> Path:
        return self.cluster / "start.lock"

    @property
    def users_lock(self) -> Path:
        return self.cluster / "users.lock"

    @property
    def pipe(self) -> Path:
        return self.cluster / "watchdog.pipe"


def default_home() -> Path:
    """ORQUESTRAX_HOME, else `~/.local/share/orquestrax`, as root `/var/lib/orquestrax`."""
    if configured := os.environ.get("ORQUESTRAX_HOME"):
        # a home of an unknown ~user stays as it is written
        return Path(os.path.expanduser(configured)).absolute()  # noqa: PTH111
    if os.geteuid() == 0:
        return ROOT_HOME
    try:
        return Path.home() / ".local" / "share" / "orquestrax"
    except RuntimeError:
        raise EmbeddedServerError(
            "this user has no home directory: name a directory by ORQUESTRAX_HOME"
        ) from None


def prepare(home: Path) -> Layout:
    """Choose the account for the server of this home, and make the directories that are missing."""
    home = home.absolute()
    try:
        make_home(home)
        link = home / "postgres"
        account = choose_account(link / "data", link, home)
        if not link.exists():
            _make_cluster(link, account)
    except OSError as error:
        raise EmbeddedServerError(
            f"the home of the embedded server, {home}, cannot be used ({error.strerror}: {error.filename}): "
            "name a directory that you may write to by ORQUESTRAX_HOME"
        ) from error
    return Layout(_checked(link.resolve(), account), account)


def make_home(directory: Path) -> None:
    """Make the directory. What root makes here, other users may enter; what exists stays as it is."""
    if os.geteuid() != 0:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    for place in (*reversed(directory.parents), directory):
        if not place.is_dir():
            place.mkdir(exist_ok=True)
            place.chmod(0o755)  # whatever root's umask says


def _make_cluster(link: Path, account: Account) -> None:
    if link.is_symlink():  # what it pointed to was removed
        link.unlink()
    if account.may_enter(link.parent):
        link.mkdir(exist_ok=True)
        _protect(link, account)
        return
    make_home(ROOT_HOME / "homes")
    apart = Path(tempfile.mkdtemp(prefix=f"{slug(link.parent.name)}-", dir=ROOT_HOME / "homes"))
    _protect(apart, account)
    try:
        link.symlink_to(apart)
    except FileExistsError:  # another process was faster
        apart.rmdir()


def _protect(cluster: Path, account: Account) -> None:
    """Close the directory to others. In a home of root's the server's user may pass, but not write."""
    if account.switch and cluster.parent.stat().st_uid == account.uid:
        account.own(cluster)
    cluster.chmod(0o700 if cluster.stat().st_uid == account.uid else 0o711)


def _checked(cluster: Path, account: Account) -> Path:
    if "\n" in str(cluster):
        raise EmbeddedServerError(
            f"the path {str(cluster)!r} has a line break, at which PostgreSQL fails: "
            "name another directory by ORQUESTRAX_HOME"
        )
    if not account.may_enter(cluster):
        raise EmbeddedServerError(
            f"the directory {cluster} is closed to the user {account.name}, as whom the server runs: "
            "let that user enter it and those above it, or name another directory by ORQUESTRAX_HOME"
        )
    return cluster


def database_name(project: Path) -> str:
    """The database of a project folder: its name, and a hash of its real path that keeps namesakes apart."""
    real = project.resolve()
    return f"{slug(real.name)}_{hashlib.sha256(os.fsencode(real)).hexdigest()[:8]}"


def slug(name: str) -> str:
    """The name in lower-case letters, digits and underscores, at most 40 of them, at least one."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())[:40].strip("_") or "project"
