"""The embedded server: a real PostgreSQL, started by us and gone when nobody uses it any more."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from .cluster import SUPERUSER
from .layout import Layout, database_name, default_home, prepare
from .postmaster import locked, stop
from .reference import Reference
from .server import ensure_database, ensure_running

__all__ = ["EmbeddedServer", "default_home", "start_embedded"]


class _Hold:
    """This process's reference to one server, and how many users in the process share it."""

    def __init__(self, layout: Layout) -> None:
        self.reference = Reference(layout)
        self.users = 0


_guard = threading.RLock()
_holds: dict[Layout, _Hold] = {}


class _Ticket:
    """One user's share in the hold of its process; given back once, however often it is asked to."""

    def __init__(self, layout: Layout) -> None:
        self._layout: Layout | None = layout

    def give_back(self) -> None:
        with _guard:
            layout, self._layout = self._layout, None
            if layout is not None:
                _leave(layout)


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server and the database of one project on it."""

    host: str
    port: int
    user: str
    database: str
    version: str
    _ticket: _Ticket | None = field(default=None, repr=False, compare=False)

    @property
    def dsn(self) -> str:
        return f"postgresql://{self.user}@/{self.database}?host={quote(self.host, safe='')}&port={self.port}"

    def stop(self) -> None:
        """Let go of our reference; the last one out stops the server."""
        if self._ticket is not None:
            self._ticket.give_back()


def start_embedded(*, home: Path | None = None, project: Path | None = None) -> EmbeddedServer:
    """Attach to the embedded server of the home, starting it if need be, with a database for the project folder."""
    with _guard:
        layout = prepare(home or default_home())
        with locked(str(layout.start_lock)):
            hold = _holds.get(layout) or _Hold(layout)
            try:
                server = ensure_running(layout)
                hold.reference.watch()
                database = database_name(project or Path.cwd())
                version = ensure_database(server, database)
            except BaseException:
                if not hold.users and hold.reference.let_go():
                    stop(str(layout.data))
                raise
            hold.users += 1
            _holds[layout] = hold
        return EmbeddedServer(server.socket_dir, server.port, SUPERUSER, database, version, _Ticket(layout))


def _leave(layout: Layout) -> None:
    hold = _holds[layout]
    hold.users -= 1
    if hold.users:
        return
    del _holds[layout]
    with locked(str(layout.start_lock)):
        if hold.reference.let_go():
            stop(str(layout.data))


def _forget() -> None:
    """In a forked child: what the parent holds is not ours, and must not outlive the parent through us."""
    global _guard  # noqa: PLW0603 - another thread may have held it when we were forked
    _guard = threading.RLock()
    for hold in _holds.values():
        hold.reference.drop()
    _holds.clear()


os.register_at_fork(after_in_child=_forget)
