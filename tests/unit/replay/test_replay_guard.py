"""The audit hook: what workflow code does to the world is refused before it happens, and nothing else is."""

# ruff: noqa: PTH104, PTH105, PTH106, PTH123, PTH208, SIM115
from __future__ import annotations

import asyncio
import importlib
import linecache
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
import warnings
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.replay.kit import Host
from tests.unit.replay.plainly import plain

from orquestrax.base.errors import ForbiddenInWorkflow
from orquestrax.replay import guard
from orquestrax.replay.bridge import await_

guard.install()
FILE = __file__


def outcome(doing: Callable[[], Any]) -> str:
    """What becomes of workflow code that does this: "" if it went through, else the sentence."""

    async def main() -> str:
        try:
            doing()
        except ForbiddenInWorkflow as error:
            return str(error)
        return ""

    return Host(main).result


def writes(path: Path) -> None:
    with path.open("w") as file:
        file.write("x")


REFUSED: list[tuple[str, Callable[[Path], Any]]] = [
    ("open", lambda folder: open(folder / "x", "w")),
    ("open", lambda folder: open(folder / "x", "ab")),
    ("open", lambda folder: open(folder / "there", "r+")),
    ("open", lambda folder: open(folder / "there")),
    ("open", lambda folder: open(folder / "there")),
    ("open", lambda folder: os.open(folder / "x", os.O_WRONLY | os.O_CREAT)),
    ("open", lambda folder: os.open(folder / "there", os.O_RDONLY)),
    ("open", lambda folder: (folder / "there").read_text()),
    ("open", lambda folder: (folder / "x").write_text("x")),
    ("open", lambda folder: tempfile.NamedTemporaryFile(dir=folder)),
    ("open", lambda folder: tempfile.TemporaryFile(dir=folder)),
    ("os.listdir", lambda folder: os.listdir(folder)),
    ("os.scandir", lambda folder: list(os.scandir(folder))),
    ("os.mkdir", lambda folder: (folder / "x").mkdir()),
    ("os.remove", lambda folder: (folder / "there").unlink()),
    ("os.rename", lambda folder: os.rename(folder / "there", folder / "x")),
    ("os.rename", lambda folder: os.replace(folder / "there", folder / "x")),
    ("os.rmdir", lambda folder: os.rmdir(folder)),
    ("os.chmod", lambda folder: (folder / "there").chmod(0o777)),
    ("shutil.copyfile", lambda folder: shutil.copyfile(folder / "there", folder / "x")),
    ("shutil.rmtree", lambda folder: shutil.rmtree(folder)),
    ("tempfile.mkdtemp", lambda folder: tempfile.mkdtemp(dir=folder)),
    ("os.putenv", lambda _: os.environ.update(OX_GUARD_TEST="x")),
    ("os.chdir", lambda folder: os.chdir(folder)),
    ("os.system", lambda _: os.system("true")),
    ("subprocess.Popen", lambda _: subprocess.run(["true"], check=True)),
    ("os.fork", lambda _: os.fork()),
    ("os.kill", lambda _: os.kill(os.getpid(), 0)),
    ("a socket", lambda _: socket.socket()),
    ("socket.getaddrinfo", lambda _: socket.getaddrinfo("localhost", 1)),
    ("socket.gethostname", lambda _: socket.gethostname()),
    ("sqlite3.connect", lambda _: sqlite3.connect(":memory:")),
    ("input", lambda _: input()),
]
if sys.version_info >= (3, 12):  # before, Python does not tell of it
    REFUSED.append(("a thread", lambda _: threading.Thread(target=print).start()))
if sys.version_info >= (3, 13):
    REFUSED.append(("time.sleep", lambda _: time.sleep(0)))


@pytest.mark.parametrize(("facility", "doing"), REFUSED)
def test_refused_in_one_sentence_with_the_line(
    facility: str, doing: Callable[[Path], Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "there").write_text("untouched")
    line = doing.__code__.co_firstlineno
    sentence = outcome(lambda: doing(tmp_path))
    assert sentence.startswith((f"{facility} does not work in a workflow: ", f"{facility}("))
    assert "step" in sentence
    assert sentence.endswith(f" ({FILE}:{line})")
    assert os.listdir(tmp_path) == ["there"], "nothing has happened"
    assert (tmp_path / "there").read_text() == "untouched"
    assert "OX_GUARD_TEST" not in os.environ
    assert caplog.messages == [f"instance order-1: {sentence}"], (
        "said once: the replay that followed was silent"
    )


class Reading:
    """A library that reads a file of its own, and one that writes."""

    def __init__(self, folder: Path) -> None:
        package = folder / "site-packages" / "somelib.py"
        package.parent.mkdir()
        package.write_text(
            "from pathlib import Path\n"
            "def read(p): return Path(p).read_text()\n"
            "def write(p): return open(p, 'w')\n"
            "import os\n"
            "def write_by_flags(p): return os.open(p, os.O_WRONLY | os.O_TRUNC)\n"
        )
        names: dict[str, Any] = {"__name__": "somelib"}
        exec(compile(package.read_text(), str(package), "exec"), names)
        self.read, self.write, self.write_by_flags = names["read"], names["write"], names["write_by_flags"]


def test_libraries_read_what_they_need_and_write_nothing(tmp_path: Path) -> None:
    library = Reading(tmp_path)
    (tmp_path / "table").write_text("rows")
    assert outcome(lambda: library.read(tmp_path / "table")) == ""
    assert "open(" in outcome(lambda: library.write(tmp_path / "table"))
    assert "open(" in outcome(lambda: library.write_by_flags(tmp_path / "table"))
    assert (tmp_path / "table").read_text() == "rows"


def test_time_zones_are_read() -> None:
    zoneinfo.ZoneInfo.clear_cache()
    assert outcome(lambda: zoneinfo.ZoneInfo("Asia/Tokyo")) == ""
    assert outcome(lambda: zoneinfo.ZoneInfo.no_cache("Europe/Lisbon")) == ""


def test_imports_stay_possible_and_may_do_what_they_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    body = "import socket, threading\nopen(__file__ + '.made', 'w').close()\nsocket.socket().close()\n"
    (tmp_path / "guarded_import.py").write_text(body)
    assert outcome(lambda: importlib.import_module("guarded_import")) == ""
    assert (tmp_path / "guarded_import.py.made").exists()
    del sys.modules["guarded_import"]


def test_a_node_that_is_run_by_an_import_or_a_logger_is_a_node(tmp_path: Path) -> None:
    """What is around the engine says nothing of what the workflow does within."""
    handler = logging.Handler()
    said: list[str] = []
    handler.emit = lambda _record: said.append(outcome(lambda: writes(tmp_path / "x")))  # type: ignore[method-assign]
    log = logging.getLogger("around")
    log.addHandler(handler)
    try:
        log.error("now")
    finally:
        log.removeHandler(handler)
    assert "open(" in said[0]
    assert not (tmp_path / "x").exists()


def test_logging_warnings_and_tracebacks_stay_possible(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "log", delay=True)
    log = logging.getLogger("guarded")
    log.addHandler(handler)

    def speak() -> None:
        log.error("to a file that is opened only now")
        linecache.clearcache()
        try:
            raise ValueError  # noqa: TRY301 - for its traceback
        except ValueError:
            assert "raise ValueError" in traceback.format_exc()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            linecache.clearcache()
            warnings.showwarning = shown  # type: ignore[assignment]
            warnings.warn("careful", stacklevel=1)

    def shown(*args: Any, **_kwargs: Any) -> None:
        said.append(warnings.formatwarning(*args[:4]))

    said: list[str] = []
    try:
        assert outcome(speak) == ""
    finally:
        log.removeHandler(handler)
        handler.close()
    assert "only now" in (tmp_path / "log").read_text()
    assert "careful" in said[0]


def test_the_comment_lets_a_line_through(tmp_path: Path) -> None:
    def meant() -> None:
        open(tmp_path / "x", "w").close()  # ox: allow

    def not_meant() -> None:
        open(tmp_path / "y", "w").close()  # ox: allowance

    assert outcome(meant) == ""
    assert (tmp_path / "x").exists()
    assert outcome(not_meant)
    assert not (tmp_path / "y").exists()


def test_code_outside_of_workflows_is_free(tmp_path: Path) -> None:
    writes(tmp_path / "before")
    elsewhere = threading.Event()

    def other_thread() -> None:
        writes(tmp_path / "thread")
        elsewhere.set()

    go = threading.Event()
    thread = threading.Thread(target=lambda: go.wait() and other_thread())
    thread.start()

    def while_it_runs() -> None:
        go.set()
        assert elsewhere.wait(10)

    assert outcome(while_it_runs) == ""
    thread.join()
    writes(tmp_path / "after")
    assert sorted(os.listdir(tmp_path)) == ["after", "before", "thread"]


def test_a_refusal_that_nobody_catches_is_the_failure_of_the_workflow(tmp_path: Path) -> None:
    async def main() -> None:
        writes(tmp_path / "x")

    kind, text = Host(main).error
    assert kind == "ForbiddenInWorkflow"
    assert "put it in a step (" in text


def test_plain_code_is_told_what_it_can_write() -> None:
    def sleeps() -> None:
        sys.audit("time.sleep", 1)  # which Python itself tells of only from 3.13 on

    async def awaits() -> None:
        sleeps()

    def mixed() -> None:
        await_(awaits())

    said = [Host(main).error[1] for main in (plain(sleeps), awaits, plain(mixed))]
    assert ["write `orquestrax.await_(asyncio.sleep(…))`" in each for each in said] == [True, False, False]
    assert ["write `await asyncio.sleep(…)`" in each for each in said] == [False, True, True]


def test_what_a_cleanup_does_at_eviction_is_refused_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            writes(tmp_path / "x")

    host = Host(main)
    host.replay.close()
    assert not (tmp_path / "x").exists()
    assert not caplog.messages


def test_the_hook_is_one_and_silent_where_it_was_not_asked_for() -> None:
    code = """
    import sys
    hooks = []
    sys.addaudithook(lambda event, args: hooks.append(event) if event == "sys.addaudithook" else None)
    import orquestrax
    from orquestrax.replay import instance
    assert not hooks
    from orquestrax.replay import guard
    assert not hooks
    guard.install()
    guard.install()
    assert len(hooks) == 1
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
