"""The postmaster of a data directory: whether it lives, and how it is stopped.

Standard library and relative imports only: the watchdog runs this file in a bare interpreter.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()
POLL = 0.003  # seconds
APART = "orquestrax-"  # how the name of a socket directory outside of the cluster begins

# Signals in the order they are tried, and the seconds each gets. A fast shutdown writes a checkpoint first.
GENTLY = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
HARD = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class PidFile:
    """What `postmaster.pid` says. It outlives its writer, so nothing in it proves that a server runs."""

    pid: int
    port: int
    socket_dir: Path
    status: str  # "starting", "ready", "stopping"; "" if the writer did not get that far


def read_pid_file(data: Path) -> PidFile | None:
    """The pid file of the data directory; None if there is none, or nothing useful in it."""
    try:
        lines = os.fsdecode((data / "postmaster.pid").read_bytes()).split("\n") + [""] * 8
        return PidFile(abs(int(lines[0])), int(lines[3] or 0), Path(lines[4]), lines[7].strip())
    except (FileNotFoundError, ValueError):
        return None


def running(data: Path) -> PidFile | None:
    """The pid file if the postmaster that it names lives, else None."""
    found = read_pid_file(data)
    return found if found is not None and works_in(found.pid, data) else None


def lives(pid: int) -> bool:
    """Whether the process exists and is no zombie: a zombie answers to signal 0 as the living do."""
    return _describe(pid) is not None


def works_in(pid: int, data: Path) -> bool:
    """Whether the process is a living PostgreSQL of this data directory.

    A pid alone proves nothing: after a crash it may belong to any other program. We signal such processes,
    maybe as root, so several things have to agree: the name, the owner, and the directory it works in.
    """
    description = _describe(pid)
    if description is None or "postgres" not in description:
        return False
    if not HAS_PROC:
        return f" -D {data} " in f"{description} "
    process = PROC / str(pid)
    try:
        return process.stat().st_uid == data.stat().st_uid and (process / "cwd").samefile(data)
    except OSError:
        return False


def _describe(pid: int) -> str | None:
    """The name of the process, with its arguments where the system has no /proc; None for zombies."""
    if HAS_PROC:
        try:
            text = (PROC / str(pid) / "stat").read_text(errors="replace")
        except OSError:
            return None
        name, _, rest = text.partition("(")[2].rpartition(")")
        return None if rest.split()[0] in "ZX" else name
    command = ["/bin/ps", "-ww", "-o", "stat=,command=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return None if not shown or shown.startswith("Z") else shown


def orphans(data: Path) -> list[int]:
    """The servers of this data directory that outlived their postmaster; none are found without /proc."""
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()] if HAS_PROC else []
    return [pid for pid in pids if works_in(pid, data)]


def stop(data: Path, signals: tuple[tuple[int, float], ...] = GENTLY) -> None:
    """Shut the server of this data directory down, harder each time it does not obey; no-op if none runs.

    Hold the start lock: without it another process may just be starting the server.
    """
    found = running(data)
    if found is None:
        return
    for number, patience in signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, number)
        if wait_for_exit(found.pid, data, patience):
            break
    if found.socket_dir.name.startswith(APART):
        with contextlib.suppress(OSError):
            found.socket_dir.rmdir()


def wait_for_exit(pid: int, data: Path, seconds: float) -> bool:
    """Wait until the postmaster has ended, at most so many seconds; whether it has."""
    deadline = time.monotonic() + seconds
    if hasattr(os, "pidfd_open"):
        _sleep_until_exit(pid, seconds)
    while works_in(pid, data):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _sleep_until_exit(pid: int, seconds: float) -> None:
    """Sleep until the process ends, where the kernel has descriptors for that; else the caller polls."""
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            select.select([descriptor], [], [], seconds)
        finally:
            os.close(descriptor)
