"""`dev` as a process: reloads that lose nothing, broken code, crashes, and every way to end."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import SCRIPT, Result, Running, wait_for

Ox = Callable[..., Result]
Spawn = Callable[..., Running]
TALK = """
import asyncio
import os
from pathlib import Path
from typing import Any

import orquestrax as ox
from words import WORD


@ox.step
async def say() -> str:
    return WORD


@ox.step
async def until(path: str) -> str:
    with open("begun", "a") as begun:
        begun.write("x")
    while not Path(path).exists():
        await asyncio.sleep(0.02)
    return WORD


@ox.step
async def crash(path: str) -> str:
    if not Path(path).exists():
        Path(path).touch()
        os._exit(7)
    return "survived"


@ox.workflow
async def talk() -> list[str]:
    first = await say()
    await ox.receive("go")
    return [first, await say()]


@ox.workflow
async def patient(path: str) -> str:
    return await until(path)


@ox.workflow
async def doomed(path: str) -> str:
    return await crash(path)
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free: int = taken.getsockname()[1]
        return free


@pytest.fixture
def talk(folder: Path) -> Path:
    """A module, beside the one that it imports and that tests change."""
    (folder / "talk.py").write_text(TALK)
    (folder / "words.py").write_text('WORD = "one"\n')
    return folder


def answers(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=30) as answer:
        return bool(answer.status == 200)


def children(running: Running) -> list[psutil.Process]:
    return psutil.Process(running.process.pid).children()


def test_reload_loses_nothing(namespace: str, talk: Path, port: int, spawn: Spawn, ox: Ox) -> None:
    dev = spawn("dev", "talk.py", "--port", str(port))
    assert dev.until("^dashboard: ")[0]
    dev.until("^serving: doomed, patient, talk, test_fan_out, test_workflow$")
    assert answers(port)
    ox("run", "talk", "--id", "waits")
    ox("run", "patient", "--input", '"mark"', "--id", "works")
    wait_for(lambda: (talk / "begun").exists())
    wait_for(lambda: ox("show", "waits", "--json").json["status"] == "waiting")

    (talk / "words.py").write_text("WORD = \n")
    dev.until(r"^error: words.py:1: talk.py does not import: SyntaxError")
    dev.until("^the code from before goes on$")
    assert answers(port)
    assert ox("show", "waits", "--json").json["status"] == "waiting"

    (talk / "words.py").write_text('WORD = "two"\n')
    dev.until("^reloaded: doomed, patient, talk, test_fan_out, test_workflow$")
    assert answers(port)
    (talk / "mark").touch()
    ox("signal", "waits", "go")
    assert ox("run", "talk", "--id", "waits", "--wait").json == ["one", "two"]
    assert ox("run", "patient", "--input", '"mark"', "--id", "works", "--wait").json == "two"
    assert (talk / "begun").read_text() == "xx"  # cut short in the old process, run again in the new one
    for id_, steps in (("waits", 2), ("works", 1)):
        history = ox("events", id_, "--json").json
        kinds = [event["type"] for event in history]
        assert kinds.count("step_completed") == steps
        assert "taken_over" not in kinds, "it was handed over, and not found after a crash"

    (child,) = children(dev)
    stopped = dev.end(signal.SIGINT)
    assert stopped.status == 0
    assert stopped.told[-1] == "stopped: what ran goes on at the next start"
    assert not child.is_running()
    assert "Traceback" not in stopped.err


@pytest.mark.verify
def test_code_that_does_not_import_at_first(namespace: str, talk: Path, port: int, spawn: Spawn) -> None:
    (talk / "words.py").write_text("raise RuntimeError('not yet')\n")
    dev = spawn("dev", "talk.py", "--port", str(port))
    dev.until(r"^error: words.py:1: talk.py does not import: RuntimeError: not yet$")
    dev.until("^waiting for a change$")
    (talk / "words.py").write_text('WORD = "now"\n')
    dev.until("^reloaded: ")
    assert answers(port)
    assert dev.end(signal.SIGTERM).status == 0


@pytest.mark.verify
def test_a_crash_of_the_code(namespace: str, talk: Path, port: int, spawn: Spawn, ox: Ox) -> None:
    dev = spawn("dev", "talk.py", "--port", str(port))
    dev.until("^serving: ")
    ox("run", "doomed", "--input", '"crashed"', "--id", "d")
    dev.until("^error: the code's process ended with status 7: starting it again$")
    dev.until("^reloaded: ")
    assert ox("run", "doomed", "--input", '"crashed"', "--id", "d", "--wait").json == "survived"
    assert dev.end(signal.SIGTERM).status == 0


def test_a_killed_supervisor_leaves_no_child(namespace: str, talk: Path, port: int, spawn: Spawn) -> None:
    dev = spawn("dev", "talk.py", "--port", str(port))
    dev.until("^serving: ")
    (child,) = children(dev)
    dev.process.kill()
    gone, _ = psutil.wait_procs([child], timeout=30)
    assert gone == [child]


def test_no_such_module(namespace: str, port: int, ox: Ox) -> None:
    ox("dev", "nosuch.py", "--port", str(port)).refused(1, "there is no file nosuch.py")


def test_own_schema_on_a_foreign_server(namespace: str, talk: Path, port: int, dsn: str) -> None:
    """In a terminal it asks; no means no."""
    ours, theirs = pty.openpty()
    fresh = f"{namespace}_fresh"
    command = [SCRIPT, "dev", "talk.py", "--port", str(port), "--namespace", fresh]
    dev = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    assert re.search(rf"dev would create the schema {fresh} in .*Go on\? \[y/N\]", read_until(ours, "[y/N]"))
    os.write(ours, b"n\n")
    assert dev.wait(30) == 1
    os.close(ours)
    refused = subprocess.run(
        [SCRIPT, "list", "--namespace", fresh], capture_output=True, text=True, timeout=60, check=False
    )
    assert "is not there: run `orquestrax db migrate`" in refused.stderr


def read_until(terminal: int, text: str) -> str:
    """What a terminal shows, up to a text; line breaks of its width taken out."""
    shown = b""
    while text not in shown.decode(errors="replace"):
        shown += os.read(terminal, 4096)
    return shown.decode().replace("\r\n", " ")


@pytest.mark.verify
def test_yes_creates_the_schema(namespace: str, talk: Path, port: int, spawn: Spawn) -> None:
    dev = spawn("dev", "talk.py", "--port", str(port), "--namespace", f"{namespace}_yes", "--yes")
    dev.until("^serving: ")
    assert dev.end(signal.SIGTERM).status == 0


def test_embedded(talk: Path, port: int, spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start ever: a home is made, and its server ends with the program."""
    with tempfile.TemporaryDirectory(prefix="ox-") as home:
        Path(home).chmod(0o755)
        monkeypatch.setenv("ORQUESTRAX_HOME", home)
        dev = spawn("dev", "talk.py", "--port", str(port))
        dev.until(rf"^database: embedded server \({home}/postgres\), database \w+$")
        dev.until("^serving: ")
        assert answers(port)
        assert (Path(home) / "postgres/data/postmaster.pid").exists()
        stopped = dev.end(signal.SIGINT)
        assert (stopped.status, stopped.told[-1]) == (0, "stopped: what ran goes on at the next start")
        assert not (Path(home) / "postgres/data/postmaster.pid").exists()


@pytest.mark.verify
def test_several_nodes(namespace: str, talk: Path, port: int, spawn: Spawn, ox: Ox) -> None:
    """Each node is a process, the dashboard is one more; who dies is followed, and all are reloaded together."""
    dev = spawn("dev", "talk.py", "--nodes", "2", "--port", str(port))
    dev.until(rf"^dashboard: http://localhost:{port}/nodes$")
    dev.until("^serving: ")
    first = alive(ox)
    assert {node["pid"] for node in first} < {child.pid for child in children(dev)}
    assert (len(first), len(children(dev))) == (2, 3)
    assert all(node["roles"] == ["engine", "worker"] for node in first)

    os.kill(first[0]["pid"], signal.SIGKILL)
    dev.until("^error: the code's process was ended by SIGKILL: starting it again$")
    dev.until("^reloaded: ")
    second = alive(ox)
    assert len(second) == 2
    assert first[0]["number"] not in {node["number"] for node in second}
    assert first[1]["number"] in {node["number"] for node in second}
    (dead,) = [node for node in ox("nodes", "--json").json if node["number"] == first[0]["number"]]
    assert (dead["status"], dead["cause"]) == ("dead", "gone")

    (talk / "words.py").write_text('WORD = "two"\n')
    dev.until("^reloaded: ")
    third = alive(ox)
    assert len(third) == 2
    assert not {node["number"] for node in second} & {node["number"] for node in third}
    assert answers(port)

    last = children(dev)
    assert dev.end(signal.SIGINT).status == 0
    assert not any(child.is_running() for child in last)
    assert alive(ox) == []


def alive(ox: Ox) -> list[dict[str, Any]]:
    return [node for node in ox("nodes", "--json").json if node["status"] == "alive"]


def test_how_many_nodes(nothing_written: None, ox: Ox) -> None:
    ox("dev", "--nodes", "0").refused(2, "'--nodes': input should be greater than or equal to 1")
