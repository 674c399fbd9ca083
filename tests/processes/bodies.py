"""The steps of these tests, where child processes find them."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from orquestrax import RetryAfter, heartbeat, progress, resource, step, step_info, use

log = logging.getLogger("tests.bodies")
imported_at = time.time_ns()


class Declined(Exception): ...


class Unwritable(Exception):
    def __init__(self) -> None:
        super().__init__(object())

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Shelf:
    """A namespace: steps need no name of their own in the module."""

    @staticmethod
    @step(executor="process")
    def kept() -> int:
        return os.getpid()


@step(executor="process")
def whoami() -> tuple[int, int, int]:
    """The process, its parent, and when its modules were imported."""
    return os.getpid(), os.getppid(), imported_at


@step(executor="process")
def meet(folder: str, name: str, other: str) -> int:
    """Return once the other one runs as well."""
    note(folder, name, os.getpid())
    while not Path(folder, other).exists():
        time.sleep(0.005)
    return os.getpid()


@step(executor="process")
def echo(value: Any) -> Any:
    return value


@step(executor="process")
def fail(how: str) -> object:
    if how == "declined":
        raise Declined("no money", 7)
    if how == "later":
        raise RetryAfter(12.5)
    if how == "chain":
        try:
            int("x")
        except ValueError as error:
            raise Declined("because") from error
    if how == "exit":
        sys.exit(3)
    if how == "unwritable":
        raise Unwritable
    if how == "stop":
        raise StopIteration
    return object()


@step(executor="process")
def end(how: str) -> None:
    """End the process in some way."""
    if how.startswith("SIG"):
        os.kill(os.getpid(), signal.Signals[how])
        time.sleep(60)
    if how == "closes":
        os.closerange(3, 256)
        time.sleep(60)
    os._exit(int(how))


@step(executor="process")
def hang(folder: str) -> None:
    """Never end, with a grandchild; both pids are told in files."""
    grandchild = subprocess.Popen(["sleep", "600"])
    note(folder, "grandchild", grandchild.pid)
    note(folder, "child", os.getpid())
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


@step(executor="process")
def hold(folder: str) -> int:
    """Never end, and never let another thread run either: a loop in C that keeps the interpreter's lock."""
    note(folder, "child", os.getpid())
    return sum(range(10**15))


@step(executor="process")
def leave_grandchild(folder: str) -> None:
    """Return, and leave something running."""
    grandchild = subprocess.Popen(["sleep", "600"])
    note(folder, "grandchild", grandchild.pid)
    grandchild.returncode = 0  # it is not waited for, on purpose


@step(executor="process")
def forks() -> int:
    """A fork inside of a body: it shares the child's memory, and must not speak for it."""
    pid = os.fork()
    if pid == 0:
        log.warning("from the fork")
        os._exit(0)
    return os.waitpid(pid, 0)[1]


@step(executor="process", memory="150MB")
def hog(megabytes: int) -> int:
    return len(bytearray(megabytes * 1_000_000))


@step(executor="process", memory="150MB")
def catches(megabytes: int) -> str:
    try:
        return str(len(bytearray(megabytes * 1_000_000)))
    except MemoryError:
        return "went on with less"


@step(executor="process")
def descriptors() -> list[str]:
    """What this process has open beyond its standard streams."""
    entries = [
        entry for entry in Path("/proc/self/fd").iterdir() if int(entry.name) > 2 and entry.is_symlink()
    ]
    return [
        target for target in (str(entry.readlink()) for entry in entries) if not target.startswith("/proc")
    ]


@step(executor="process")
def environment() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "group": os.getpgid(0) == os.getpid(),
        "session": os.getsid(0) == os.getpid(),
        "main thread": threading.current_thread() is threading.main_thread(),
        "stdin": str(Path("/proc/self/fd/0").readlink()),
        "argv": sys.argv[:],
        "command": process.cmdline()[1:4],
    }


@step(executor="process")
def interrupted() -> str:
    """Ctrl-C is for the node."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)
    return "still here"


@step(executor="process")
def speaks(word: str) -> dict[str, Any]:
    print(f"out: {word}")
    print(f"err: {word}", file=sys.stderr)
    log.info("info %s", word)
    log.debug("debug %s", word)
    log.warning("does not fit %s %s", word, extra={"order": 7, "thing": object()})
    try:
        int(word)
    except ValueError:
        log.exception("no number")
    info = step_info()
    return {
        "instance": info.instance_id,
        "attempt": info.attempt,
        "key": info.idempotency_key,
        "is": str(info.deadline),
    }


@resource
def ledger() -> Iterator[list[str]]:
    log.info("opened")
    yield [f"opened in {os.getpid()}"]
    Path(os.environ["LEDGER"]).write_text(f"closed in {os.getpid()}")


@step(executor="process")
def books(entry: str, book: list[str] = use(ledger)) -> list[str]:
    book.append(entry)
    return book


@step(executor="process")
def tells(times: int) -> None:
    """Much in little time: the last word counts."""
    for number in range(times):
        progress(number + 1, times, f"row {number}")
        heartbeat({"row": number + 1})


@step(executor="process", heartbeat_timeout=0.5)
def falls_silent(beats: int) -> None:
    for number in range(beats):
        time.sleep(0.2)
        heartbeat(number)
    time.sleep(600)


@step(executor="process")
def backtracks() -> None:
    """The expression that takes for ever."""
    re.match(r"(a+)+$", "a" * 60 + "b")


def note(folder: str, name: str, value: object) -> None:
    """Tell the test; the file appears whole."""
    path = Path(folder, f"{name}.new")
    path.write_text(str(value))
    path.rename(Path(folder, name))
