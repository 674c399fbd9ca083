"""Where things lie.

HOME/postgres/            the cluster directory
    data/                 PGDATA, 0700, the server's user
    run/                  the socket, 0700, the server's user (elsewhere if that path cannot hold a socket)
    server.log            what the server says; server.log.1 is what it said before
    start.lock            held, exclusively, over start and stop
    users.lock            held, shared, by every process that uses the server
    watchdog.pipe         its write end is held by every user, its read end by the watchdog
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orquestrax.base.errors import EmbeddedServerError

from .account import Account, choose_account

PORT = 5432  # nobody listens there: it is but a part of the socket's file name
SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107  # bytes
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
        return Path(configured).expanduser().absolute()
    if os.geteuid() == 0:
        return ROOT_HOME
    try:
        return Path.home() / ".local" / "share" / "orquestrax"
    except RuntimeError:
        raise EmbeddedServerError(
            "this user has no home directory: name a directory by ORQUESTRAX_HOME"
        ) from None


def prepare(home: Path) -> Layout:
    """Make the directories of the home that are missing and choose the server's account."""
    home = home.absolute()
    try:
        home.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        cluster = home.resolve() / "postgres"
        account = choose_account(cluster / "data", cluster, home)
        cluster.mkdir(mode=0o711 if account.switch else 0o700, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(
            f"the embedded server's home {home} cannot be made: {error.strerror}; "
            "name a directory that you may write to by ORQUESTRAX_HOME"
        ) from error
    return Layout(cluster, account)


def make_socket_dir(layout: Layout) -> Path:
    """The 0700 directory of the socket: nobody but the server's user and root can connect."""
    own = layout.cluster / "run"
    path = own if holds_socket(own) else runtime_dir(layout.cluster)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        layout.account.own(path)
    found = path.lstat()
    if not path.is_dir() or path.is_symlink() or found.st_uid != layout.account.uid or found.st_mode & 0o077:
        raise EmbeddedServerError(
            f"the socket directory {path} must be a directory of mode 0700 of user {layout.account.name}: remove it"
        )
    return path


def holds_socket(directory: Path) -> bool:
    """Whether a socket in this directory has a path that every client can be told of.

    The kernel limits its length, and clients split the path at commas, unquote it, or trim it.
    """
    path = os.fsencode(directory / f".s.PGSQL.{PORT}")
    return len(path) <= SOCKET_PATH_LIMIT and re.fullmatch(rb"[A-Za-z0-9_./+-]+", path) is not None


def runtime_dir(cluster: Path) -> Path:
    """A directory for the socket of a cluster whose own path is too long or too odd for one."""
    name = f"orquestrax-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]}"
    for base in (os.environ.get("XDG_RUNTIME_DIR") if os.geteuid() else None, tempfile.gettempdir(), "/tmp"):  # noqa: S108
        if base and os.path.isdir(base) and holds_socket(Path(base) / name):
            return Path(base) / name
    raise EmbeddedServerError(f"no temporary directory has a path short enough for the socket of {cluster}")


def database_name(project: Path) -> str:
    """The database of a project folder: its name, and a hash of its real path that keeps namesakes apart."""
    real = project.resolve()
    folder = re.sub(r"[^a-z0-9]+", "_", real.name.lower()).strip("_")[:40]
    return f"{folder or 'project'}_{hashlib.sha256(os.fsencode(real)).hexdigest()[:8]}"
