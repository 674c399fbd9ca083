"""`orquestrax nodes`: who is there, how busy, and with which code."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import msgspec

from .conftest import SCRIPT, Result, Running

Ox = Callable[..., Result]
Spawn = Callable[..., Running]


def test_a_node_at_work(namespace: str, ox: Ox, spawn: Spawn) -> None:
    node = spawn("start", "flows.py", "--roles", "engine,worker")
    node.until(r"serves double, .*\(engine, worker\)")
    ox("run", "pause", "--input", "20", "--id", "p")

    def busy() -> Any:
        (only,) = ox("nodes", "--json").json
        return only if only["held"] else None

    found = None
    while found is None:  # its next heartbeat tells; pytest's time limit is the deadline
        found = busy()
    assert (found["status"], found["pid"], found["held"]) == ("alive", node.process.pid, 1)
    assert found["name"] == f"{found['host']}-{found['number']}"
    assert (found["roles"], found["queues"]) == (["engine", "worker"], ["*"])
    assert found["slots"]["async"] == {"total": 1000, "used": 0, "free": 1000}
    assert 0 <= found["heartbeat_age"] < 10
    code = {each["name"]: each for each in found["definitions"]}
    assert code.keys() == {"double", "fulfil", "odd", "pause"}
    known = {each["name"]: each["digest"] for each in ox("definitions", "--json").json}
    assert code["double"]["digest"] == known["double"]

    (head, row) = ox("nodes").out.splitlines()
    assert re.split(r"\s{2,}", head)[:4] == ["status", "node", "host", "pid"]
    assert row.startswith(f"✓ alive  {found['name']}")
    assert f"{node.process.pid}" in row
    assert "engine,worker" in row

    assert node.end(signal.SIGTERM).status == 0
    (left,) = ox("nodes", "--json").json
    assert (left["status"], left["held"]) == ("ended", 0)
    assert left["since"] == left["ended_at"]


def test_how_nodes_stand(registered: Callable[..., int], ox: Ox) -> None:
    """The dead, the silent and the ended; who ended long ago is left out."""
    registered(name="silent", then="seen_at = now() - interval '1 minute'")
    registered(name="dead", then="status = 'dead', ended_at = now(), load = '{\"held\": 5}'")
    registered(name="ended", then="status = 'stopped', ended_at = now() - interval '59 minutes'")
    registered(name="old", then="status = 'stopped', ended_at = now() - interval '61 minutes'")
    registered(name="leaving", then="draining_at = now() - interval '3 seconds'")
    load = {"held": 3, "waiting": 7, "used": {"thread": 2}}
    alive = registered(
        name="alive", slots='{"thread": 6}', then=f"load = '{msgspec.json.encode(load).decode()}'"
    )
    found = ox("nodes", "--json").json
    stand = {re.sub(r"-\d+$", "", node["name"]): node["status"] for node in found}
    assert stand == {
        "alive": "alive",
        "leaving": "draining",
        "ended": "ended",
        "dead": "dead",
        "silent": "silent",
    }
    assert found[0]["number"] == alive, "newest first"
    assert (found[0]["held"], found[0]["waiting"]) == (3, 7)
    assert found[0]["slots"] == {"thread": {"total": 6, "used": 2, "free": 4}}
    assert 60 <= found[-1]["heartbeat_age"] < 120
    assert [node["held"] for node in found if node["status"] == "dead"] == [0], "it holds nothing any more"
    assert len(ox("nodes", "--all", "--json").json) == 6


def test_different_code_side_by_side(registered: Callable[..., int], ox: Ox) -> None:
    new = '{"d": {"version": "2", "digest": "bbbbbbbbbbbb"}}'
    old = '{"d": {"version": "1", "digest": "aaaaaaaaaaaa"}}'
    one = registered(code=old)
    two = registered(code=new)
    three = registered(code=new)
    registered(code='{"d": {"version": "0", "digest": "cccc"}}', then="status = 'dead', ended_at = now()")
    last = ox("nodes").out.splitlines()[-1]
    assert (
        last == f"different code of d: 2 (bbbbbbbb) on node-{three}, node-{two}; 1 (aaaaaaaa) on node-{one}"
    )


def test_nobody(namespace: str, ox: Ox) -> None:
    nobody = ox("nodes")
    assert (nobody.status, nobody.out) == (0, "")
    assert nobody.told == ["no nodes: start one, `orquestrax dev MODULE` or `orquestrax start MODULE`"]
    assert ox("nodes", "--json").json == []


def test_watching_is_for_people(nothing_written: None, ox: Ox) -> None:
    ox("nodes", "--watch").refused(2, "--watch needs a terminal: leave it out, or use --json")
    ox("nodes", "--watch", "--json").refused(
        2, "--watch is for people and --json for programs: use one of them"
    )


def test_watching_in_a_terminal(registered: Callable[..., int]) -> None:
    """It goes on by itself, and Ctrl-C is no error."""
    registered(name="first")
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    watching = subprocess.Popen(
        [SCRIPT, "nodes", "--watch"], stdout=theirs, stderr=theirs, stdin=theirs, env=env
    )
    os.close(theirs)
    shown = _read(ours, "first-1")
    registered(name="second")
    shown += _read(ours, "second-2")
    watching.send_signal(signal.SIGINT)
    try:
        while more := os.read(ours, 4096):
            shown += more
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert watching.wait(30) in (0, 130)
    assert b"Traceback" not in shown


def _read(terminal: int, text: str) -> bytes:
    shown = b""
    while text.encode() not in shown:
        shown += os.read(terminal, 4096)
    return shown
