"""Attach to the server if it answers, else start or heal it. All of it runs under the start lock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cluster import SUPERUSER
from .launch import READY_DEADLINE, launch
from .postmaster import HARD, POLL, running, stop
from .wire import ANSWER_DEADLINE, NOT_NOW, UNKNOWN_DATABASE, Refused, Session

if TYPE_CHECKING:
    from pathlib import Path

    from .layout import Layout
    from .postmaster import PidFile


@dataclass(frozen=True)
class Running:
    """A server that has answered."""

    socket_dir: Path
    port: int
    version: str


def ensure_server(layout: Layout, database: str) -> Running:
    """A living server with this database; started, or healed, if need be."""
    found = running(layout.data)
    if found is not None:
        answered = _await_answer(layout, database)
        if answered is not None:
            return answered
        stop(layout.data, HARD)
    return _ensure_database(launch(layout), database)


def _await_answer(layout: Layout, database: str) -> Running | None:
    """The answer of the server that runs; None when it has ended, or will not answer."""
    deadline = time.monotonic() + READY_DEADLINE
    while (found := running(layout.data)) is not None and time.monotonic() < deadline:
        if found.status == "stopping":
            return None  # it may wait for its clients, for ever
        if found.status == "ready":
            try:
                return _ensure_database(found, database)
            except Refused as refused:
                if refused.sqlstate not in NOT_NOW:
                    raise
            except (TimeoutError, FileNotFoundError, ConnectionRefusedError):
                return None
            except (BlockingIOError, ConnectionError):
                pass  # its queue is full, or it has just cut all connections to stop or recover
        time.sleep(POLL)
    return None


def _ensure_database(server: PidFile, database: str) -> Running:
    """Ask for the database, and create it if it is missing."""
    try:
        with _connect(server, database) as session:
            version = session.version
    except Refused as refused:
        if refused.sqlstate != UNKNOWN_DATABASE:
            raise
        with _connect(server, "postgres") as session:
            session.execute(f'create database "{database}"')
            version = session.version
    return Running(server.socket_dir, server.port, version)


def _connect(server: PidFile, database: str) -> Session:
    return Session(server.socket_dir, server.port, user=SUPERUSER, database=database, seconds=ANSWER_DEADLINE)
