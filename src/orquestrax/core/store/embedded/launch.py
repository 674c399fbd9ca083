"""Start the server and wait until it is ready. All of it runs under the start lock."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

from .binaries import find_binaries
from .cluster import SUPERUSER, ensure_data, environment, useful_line
from .copies import reachable
from .locks import open_file
from .postmaster import POLL, lives, orphans, read_pid_file, wait_for_exit
from .sockets import PORT, make_socket_dir
from .watchdog import rotate
from .wire import ANSWER_DEADLINE, Refused, Session

if TYPE_CHECKING:
    from pathlib import Path

    from .binaries import Binaries
    from .layout import Layout
    from .postmaster import PidFile

READY_DEADLINE = 300.0  # seconds: after a crash the server replays its log before it is ready
ORPHANS_DEADLINE = 15.0  # seconds for servers to notice that their postmaster is gone
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",  # compiling takes longer than any statement of ours
    "wal_level": "minimal",  # nobody replicates from a laptop
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "logging_collector": "off",  # the watchdog keeps the log short
    "log_destination": "stderr",
}


def launch(layout: Layout, binaries: Binaries | None = None) -> PidFile:
    """Start the server of a data directory that no living postmaster serves; make that first if need be."""
    binaries = binaries or reachable(find_binaries(), layout.account)
    ensure_data(layout, binaries)
    rotate(layout.log)
    socket_dir = make_socket_dir(layout)
    if read_pid_file(layout.data) is None:  # a full disk leaves an empty one, at which PostgreSQL gives up
        _end_orphans(layout)
        (layout.data / "postmaster.pid").unlink(missing_ok=True)
    _refuse_if_served_elsewhere(layout, socket_dir)
    deadline = time.monotonic() + ORPHANS_DEADLINE
    while True:
        started, said = _start(layout, binaries, socket_dir)
        if started is not None:
            return started
        if "shared memory block" not in said or time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the embedded server does not start: {useful_line(said)} (see {layout.log})"
            )
        _end_orphans(layout)


def _refuse_if_served_elsewhere(layout: Layout, socket_dir: Path) -> None:
    """No living process here serves the data. If the socket answers, one in another container does.

    The socket and its lock are leftovers otherwise; they go, because that lock may name a reused pid, too.
    """
    try:
        with Session(socket_dir, PORT, user=SUPERUSER, database="postgres", seconds=ANSWER_DEADLINE):
            answered = True
    except (FileNotFoundError, ConnectionRefusedError):
        answered = False
    except (Refused, OSError):  # a server that is busy or hangs writes to the data all the same
        answered = True
    if answered:
        raise EmbeddedServerError(
            f"the data directory {layout.data} is served by a process that cannot be seen from here, such as "
            "one in another container: give each its own ORQUESTRAX_HOME, or name a database by "
            "ORQUESTRAX_DATABASE_URL"
        )
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        (socket_dir / name).unlink(missing_ok=True)


def _start(layout: Layout, binaries: Binaries, socket_dir: Path) -> tuple[PidFile | None, str]:
    """The pid file of the server when it is ready, or None when it has ended; and what it said."""
    log = open_file(layout.log, os.O_RDWR | os.O_APPEND)
    try:
        begin = os.lseek(log, 0, os.SEEK_END)
        pid = _spawn(layout, binaries, socket_dir, log)
        started = _await_ready(layout, pid)
        return started, os.pread(log, 65536, begin).decode(errors="replace")
    finally:
        os.close(log)


def _spawn(layout: Layout, binaries: Binaries, socket_dir: Path, log: int) -> int:
    """Start the postmaster and return its pid.

    The shell in between makes it an orphan with a session of its own: not our child, so it neither gets our
    Ctrl-C nor stays behind as our zombie. PostgreSQL refuses to start while the pid in `postmaster.pid`
    lives, unless that is its grandparent. We know that this pid is somebody else's by now, so we call it
    that; all of PostgreSQL's other checks stay in force, above all the one for servers that outlived their
    postmaster.
    """
    settings = SETTINGS | {"unix_socket_directories": str(socket_dir)}
    command = [str(binaries.bindir / "postgres"), "-D", str(layout.data)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    stale = read_pid_file(layout.data)
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", 'exec "$@" >&2 & echo $!', "sh", *command],
        stdout=subprocess.PIPE,
        stderr=log,
        check=True,
        start_new_session=True,
        env=environment() | ({"PG_GRANDPARENT_PID": str(stale.pid)} if stale else {}),
        **layout.account.spawn_options(),
    )
    return int(done.stdout)


def _await_ready(layout: Layout, pid: int) -> PidFile | None:
    deadline = time.monotonic() + READY_DEADLINE
    while lives(pid):
        found = read_pid_file(layout.data)
        if found is not None and found.pid == pid and found.status == "ready":
            return found
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the embedded server is not ready after {READY_DEADLINE:.0f} s: its log is {layout.log}"
            )
        time.sleep(POLL)
    return None


def _end_orphans(layout: Layout) -> None:
    """Servers outlive a killed postmaster while they are busy, and no new one may write beside them."""
    left = orphans(layout.data)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
    for pid in left:
        wait_for_exit(pid, layout.data, ORPHANS_DEADLINE)
