"""The embedded server: a real PostgreSQL on the laptop, started by its first user and stopped with its last.

`start_embedded` attaches to the server of a home directory, starting it if need be, and returns the address
of one project's database. What it keeps to:

- **One at a time.** Start and stop hold `start.lock`. The data directory is made elsewhere and renamed, so it
  is there whole or not at all. fsync is on: this is somebody's data.
- **Proof, not records.** A server is believed in only if its process lives, works in our data directory, and
  its socket answers. So a stale `postmaster.pid`, a pid that belongs to another program by now, a zombie, a
  socket that was removed and a server that hangs are healed by starting (anew); nobody has to delete a file.
- **Counted by the kernel.** A user process holds a shared lock and a pipe, both of which end with the
  process. The last one out stops the server; after `kill -9` the watchdog, which the end of the pipe wakes,
  does.
- **Closed to others.** No TCP. The socket lies in a directory of mode 0700, and that is the authentication.
  As root the server runs as another user; users are never added, and permissions of what others made never
  loosened.
- **Nothing grows.** The watchdog and each start cut the log short.

    binaries > copies      which PostgreSQL, and a copy where its user cannot reach it
    account, layout        as whom, and where everything lies
    cluster                the data directory: initdb, version, owner
    sockets, wire          where the socket is, and whether it answers
    postmaster, locks      the process and file locks; also for the watchdog, so standard library only
    server > launch        attach or heal; start and wait until it is ready
    reference, sharing     which processes use it, and who within one
    watchdog               its end, when nobody could see to it
    upgrade                data of an older major version, brought to the installed one

It fails with `EmbeddedServerError`, one sentence that says what to do; then the reference is given back, and
a server that nobody else uses is stopped. It works on one machine's own file system: a home that several
machines or containers share is refused where it can be noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from orquestrax.base.errors import EmbeddedServerError

from .cluster import SUPERUSER
from .layout import database_name, default_home, prepare
from .sharing import take_share

if TYPE_CHECKING:
    from .sharing import Share

__all__ = ["EmbeddedServer", "default_home", "start_embedded"]


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server, and the database of one project on it.

    `host` is the directory of its Unix socket, `version` such as "18.1".
    """

    host: str
    port: int
    user: str
    database: str
    version: str
    _share: Share | None = field(default=None, repr=False, compare=False)

    @property
    def dsn(self) -> str:
        """The address for asyncpg and psql alike."""
        return f"postgresql://{self.user}@/{self.database}?host={quote(self.host, safe='')}&port={self.port}"

    def lives(self) -> bool:
        """Whether its process is there. If it is not, `start_embedded` brings it back."""
        return self._share is not None and self._share.lives()

    def stop(self) -> None:
        """Let go of our reference; the last one out stops the server. Blocks for that; again is a no-op."""
        if self._share is not None:
            self._share.give_back()


def start_embedded(*, home: Path | None = None, project: Path | None = None) -> EmbeddedServer:
    """Attach to the embedded server of `home`, starting it if need be. Blocks: a second when all is new.

    `home` is `default_home()` and `project` the working directory unless given; the project's database is
    made on demand. Users within one process share one reference, so each calls this and its own `stop()`.
    Calling again is cheap (milliseconds), and revives a server that died meanwhile. A forked child does not
    inherit the reference.

    Raises `EmbeddedServerError`.

    >>> server = start_embedded()
    >>> connection = await asyncpg.connect(server.dsn)
    """
    try:
        layout = prepare(home or default_home())
        database = database_name(project or Path.cwd())
        share = take_share(layout, database)
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else error.strerror or str(error)
        raise EmbeddedServerError(f"the embedded server cannot be started ({what})") from error
    running = share.running
    return EmbeddedServer(str(running.socket_dir), running.port, SUPERUSER, database, running.version, share)
