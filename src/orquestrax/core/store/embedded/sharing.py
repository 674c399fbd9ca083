"""The users within one process share one reference to a server, and each gives back only its own share."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

from .locks import locked, open_file
from .postmaster import running, stop
from .reference import Reference
from .server import ensure_server
from .wire import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from .layout import Layout
    from .server import Running

LOCK_DEADLINE = 400.0  # seconds, longer than a start may take

_guard = threading.RLock()
_holds: dict[Path, _Hold] = {}  # by cluster directory


class Share:
    """One user's share in its process's hold on a server; `running` is the server."""

    def __init__(self, hold: _Hold, running: Running) -> None:
        self.running = running
        self._hold: _Hold | None = hold
        hold.users += 1

    def lives(self) -> bool:
        """Whether the server's process is there; costs a look at a file and one at the process."""
        return self._hold is not None and self._hold.lives()

    def give_back(self) -> None:
        """Give it back, once; the last share of the last process stops the server."""
        with _guard:
            hold, self._hold = self._hold, None
            if hold is not None:
                hold.users -= 1
                hold.end_if_unused()


def take_share(layout: Layout, database: str) -> Share:
    """A share in the server of this layout, which then runs and has the database."""
    with _guard:
        hold = _holds.setdefault(layout.cluster, _Hold(layout))
        try:
            return Share(hold, hold.ensure(database))
        except Refused as refused:
            hold.end_if_unused()
            raise EmbeddedServerError(
                f"the embedded server in {layout.cluster} refuses: {refused}"
            ) from refused
        except BaseException:
            hold.end_if_unused()
            raise


class _Hold:
    """This process's reference to one server, taken when it is first needed, and its number of users."""

    def __init__(self, layout: Layout) -> None:
        self.users = 0
        self._layout = layout
        self._reference: Reference | None = None

    def ensure(self, database: str) -> Running:
        os.close(open_file(self._layout.start_lock, os.O_RDWR))
        with locked(self._layout.start_lock, seconds=LOCK_DEADLINE):
            if self._reference is not None and not self._reference.is_current():
                self.forget()
            self._reference = self._reference or Reference(self._layout)
            running = ensure_server(self._layout, database)
            self._reference.watch()
            return running

    def lives(self) -> bool:
        return running(self._layout.data) is not None

    def end_if_unused(self) -> None:
        if self.users:
            return
        _holds.pop(self._layout.cluster, None)
        reference, self._reference = self._reference, None
        if reference is None:
            return
        try:
            with locked(self._layout.start_lock, seconds=LOCK_DEADLINE):
                if reference.let_go():
                    stop(self._layout.data)
        except FileNotFoundError:  # the home was removed; the server sees that for itself within a minute
            reference.drop()

    def forget(self) -> None:
        """Drop the reference without a word to anybody."""
        if self._reference is not None:
            self._reference.drop()
            self._reference = None


def _forget_all() -> None:
    """In a forked child: what the parent holds is not ours, and must not outlive the parent through us."""
    global _guard  # noqa: PLW0603 - a thread that was not forked with us may have held it
    _guard = threading.RLock()
    for hold in _holds.values():
        hold.users = 0
        hold.forget()
    _holds.clear()


os.register_at_fork(after_in_child=_forget_all)
