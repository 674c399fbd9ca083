"""Start the server, believe in it only when it answers, and heal what a crash left behind.

Everything here runs under the start lock.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

from .binaries import find_binaries
from .cluster import SUPERUSER, check_version, environment, initialise, useful_line
from .layout import PORT, make_socket_dir
from .postmaster import POLL, PidFile, read_pid_file, running, stop, wait_for_exit
from .watchdog import rotate
from .wire import STARTING_UP, UNKNOWN_DATABASE, Refused, Session

if TYPE_CHECKING:
    from pathlib import Path

    from .binaries import Binaries
    from .layout import Layout

START_DEADLINE = 120.0  # seconds: after a crash the server replays its log before it answers
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",  # its compile time is longer than any statement of ours
    "wal_level": "minimal",  # nobody replicates from a laptop
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
}


def ensure_running(layout: Layout) -> PidFile:
    """A server that lives and answers, started if need be."""
    found = running(str(layout.data))
    if found is not None and found.status != "stopping":
        return found
    if found is not None:
        wait_for_exit(found.pid, str(layout.data), START_DEADLINE)
    return start(layout)


def start(layout: Layout) -> PidFile:
    binaries = find_binaries()
    if not (layout.data / "PG_VERSION").exists():
        initialise(layout, binaries)
    check_version(layout, binaries)
    rotate(str(layout.log))
    with layout.log.open("ab") as log:
        said_before = log.tell()
        pid = _spawn(layout, binaries, make_socket_dir(layout), log.fileno())
    return _wait_until_ready(layout, pid, said_before)


def _spawn(layout: Layout, binaries: Binaries, socket_dir: Path, log: int) -> int:
    """Start the postmaster and return its pid.

    A shell in between makes it an orphan of a session of its own: it is not our child, so it neither gets our Ctrl-C
    nor stays behind as our zombie. PostgreSQL refuses to start while the pid in `postmaster.pid` lives, unless it is
    the one of its grandparent; we know that this pid belongs to somebody else by now, so we say it is that. All its
    other checks stay in force, that of left-over children above all.
    """
    settings = SETTINGS | {"unix_socket_directories": str(socket_dir), "port": str(PORT)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    stale = read_pid_file(str(layout.data))
    env = environment() | ({"PG_GRANDPARENT_PID": str(stale.pid)} if stale else {})
    shell = ["/bin/sh", "-c", 'exec "$@" >&2 & echo $!', "sh"]
    done = subprocess.run(  # noqa: S603
        [*shell, binaries.bindir / "postgres", "-D", layout.data, *options],
        stdout=subprocess.PIPE, stderr=log, text=True, check=True, start_new_session=True, env=env,
        **layout.account.spawn_options(),
    )  # fmt: skip
    return int(done.stdout)


def _wait_until_ready(layout: Layout, pid: int, said_before: int) -> PidFile:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        found = read_pid_file(str(layout.data))
        if found is not None and found.pid == pid and found.status == "ready":
            return found
        if not _lives(pid):
            break
        time.sleep(POLL)
    with layout.log.open("rb") as log:
        log.seek(said_before)
        said = log.read(65536).decode(errors="replace")
    raise EmbeddedServerError(f"the embedded server did not start: {useful_line(said)} (see {layout.log})")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ensure_database(server: PidFile, database: str) -> str:
    """Create the database if it is missing; the server's version."""
    try:
        with _connect(server, database) as session:
            return session.version
    except Refused as refused:
        if refused.sqlstate != UNKNOWN_DATABASE:
            raise
    with _connect(server, "postgres") as session:
        session.execute(f'create database "{database}"')
        return session.version


def _connect(server: PidFile, database: str) -> Session:
    return Session(server.socket_dir, server.port, user=SUPERUSER, database=database)
