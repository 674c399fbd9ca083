"""The directory of the server's socket: the only way in, so it is what keeps other users out."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

from .postmaster import APART

if TYPE_CHECKING:
    from .layout import Layout

PORT = 5432  # nobody listens there: it is only a part of the socket's file name
LIMIT = 103 if sys.platform == "darwin" else 107  # bytes of a socket's path


def make_socket_dir(layout: Layout) -> Path:
    """The socket's directory, made if missing: mode 0700, of the server's user. Root passes anyhow."""
    own = layout.cluster / "run"
    if holds_socket(own):
        own.mkdir(mode=0o700, exist_ok=True)
        layout.account.own(own)
        own.chmod(0o700)
        return own
    return _make_apart(layout)


def holds_socket(directory: Path) -> bool:
    """Whether the path of a socket in this directory can be told to every client.

    The kernel limits its length; server and clients split such paths at commas, trim and unquote them.
    """
    path = os.fsencode(directory / f".s.PGSQL.{PORT}")
    return len(path) <= LIMIT and re.fullmatch(rb"[A-Za-z0-9_./+-]+", path) is not None


def _make_apart(layout: Layout) -> Path:
    """A directory among the temporary ones. Others can make directories there too, so it is looked at."""
    path = runtime_dir(layout.cluster)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != layout.account.uid or found.st_mode & 0o077:
            raise EmbeddedServerError(
                f"the socket's directory {path} exists, but is no directory of user {layout.account.name} "
                "with mode 0700: remove it"
            ) from None
    else:
        layout.account.own(path)
    return path


def runtime_dir(cluster: Path) -> Path:
    """The directory for the socket of a cluster whose own path is too long or too odd."""
    name = APART + hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    private = None if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR")  # root's is closed to others
    for base in filter(None, (private, tempfile.gettempdir(), "/tmp")):  # noqa: S108
        if os.access(base, os.W_OK | os.X_OK) and holds_socket(Path(base) / name):
            return Path(base) / name
    raise EmbeddedServerError(
        f"the path {cluster} is too long or has characters unfit for a socket, and so has the directory for "
        "temporary files: set TMPDIR or ORQUESTRAX_HOME to a short, plain path"
    )
