"""Every command on a living node: what it prints, as JSON and for people, and its exit status."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orquestrax.cli import options
from orquestrax.cli.init import SETTINGS
from orquestrax.settings import KEYS, load_settings

from .conftest import SCRIPT, Result, Running, wait_for

Ox = Callable[..., Result]
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
DATA = {
    "input", "created_by", "created_at", "node", "command", "step", "attempt", "started_at", "ended_at", "first_at",
    "due", "error", "result", "number", "message", "name", "payload", "unhandled", "reason",
}  # fmt: skip


@pytest.fixture
def node(namespace: str, spawn: Callable[..., Running]) -> Iterator[Running]:
    """A node that serves flows.py; it stops cleanly at the end."""
    running = spawn("start", "flows.py", "--roles", "engine, worker")
    running.until(r"^\S+ serves double, fulfil, odd, pause \(engine, worker\); Ctrl-C stops it$")
    yield running
    stopped = running.end(15)  # SIGTERM
    assert stopped.status == 0
    assert stopped.told[-1] == "stopped"


@pytest.mark.usefixtures("node")
def test_the_life_of_an_instance(ox: Ox) -> None:
    started = ox(
        "run", "flows.py:fulfil", "--input", '{"note": "thanks", "order": {"id": "7"}}', "--id", "order-7"
    )
    assert (started.status, started.out, started.told) == (0, "order-7\n", [])
    wait_for(lambda: "step_retrying" in ox("events", "order-7").out)  # the history has the signal after it
    sent = ox("signal", "order-7", "approval", "true")
    assert (sent.status, sent.out, sent.told) == (0, "", ["sent approval to order-7"])
    again = ox("run", "fulfil", "--input", '[{"id": "7"}, "thanks"]', "--id", "order-7", "--wait")
    assert again.json == "charged 1 thanks"
    assert again.told[-1] == "order-7 is completed"

    shown = ox("show", "order-7", "--json").json
    times = [shown.pop(name) for name in ("created_at", "started_at", "ended_at")]
    assert all(re.fullmatch(ISO, at) for at in times)
    assert times == sorted(times)
    assert shown.pop("node")
    assert shown == {
        "id": "order-7", "definition": "fulfil", "version": "", "status": "completed",
        "input": [{"id": "7", "amount": 1.0}, "thanks"], "result": "charged 1 thanks", "error": None,
        "waits": [], "blocked": None, "priority": 2, "created_by": "cli", "wake_at": None,
        "deadline": None,
    }  # fmt: skip
    lines = ox("show", "order-7").out.splitlines()
    assert [line.rstrip() for line in lines] == lines, "a pipe gets no blanks to fill lines"
    facts = dict(line.split(maxsplit=1) for line in lines)
    assert facts["status"].strip() == "✓ completed"
    assert facts["result"].strip() == '"charged 1 thanks"'

    history = ox("events", "order-7", "--json").json
    assert [event["seq"] for event in history] == list(range(len(history)))
    kinds = [event["type"] for event in history]
    assert kinds[:2] == ["started", "step_retrying"]
    assert sorted(kinds[2:]) == ["completed", "signal_received", "step_completed"]
    assert all(
        set(event) == {"seq", "type", "at", "data"} and set(event["data"]) <= DATA for event in history
    )
    assert all(re.fullmatch(ISO, event["at"]) for event in history)
    assert re.fullmatch(ISO, history[1]["data"]["due"])
    table = ox("events", "order-7").out
    assert re.search(
        r"1 .* step_retrying +charge failed: ConnectionError: the bank is closed; again in [\d.]+ m?s", table
    )
    assert re.search(r"step_completed +charge, attempt 2 in [\d.]+ m?s: \"charged 1\"", table)


@pytest.mark.usefixtures("node")
def test_steering_and_lists(ox: Ox) -> None:
    for id_ in ("rest-1", "rest-2", "other"):
        assert ox("run", "pause", "--input", "1000", "--id", id_).out == f"{id_}\n"
    assert ox("cancel", "rest-1", "--reason", "no need").told == ["asked rest-1 to end"]
    assert ox("terminate", "rest-2", "--reason", "now").told == ["told rest-2 to end at once"]
    for id_, ending in (("rest-1", "cancelled"), ("rest-2", "terminated")):
        waited = ox("run", "pause", "--input", "1000", "--id", id_, "--wait")
        assert (waited.status, waited.out) == (1, "")
        assert waited.told[-1] == f"error: {id_} was {ending}"
    found = ox("list", "--json", "--definition", "pause").json
    assert [(run["id"], run["input"]) for run in found] == [
        (i, [1000.0]) for i in ("other", "rest-2", "rest-1")
    ]
    ended = ox("list", "--json", "--status", "cancelled", "--status", "terminated").json
    assert [run["id"] for run in ended] == ["rest-2", "rest-1"]
    assert [run["id"] for run in ox("list", "--json", "--search", "EST-", "--limit", "1").json] == ["rest-2"]
    assert ox("list", "--json", "--status", "failed").json == []
    empty = ox("list", "--status", "failed")
    assert (empty.out, empty.told) == ("", ["no instances"])
    lines = ox("list").out.splitlines()
    assert lines[0].split() == ["status", "id", "definition", "created", "took"]
    assert [line.split()[2] for line in lines[1:]] == ["other", "rest-2", "rest-1"]


@pytest.mark.usefixtures("node")
def test_definitions(ox: Ox, folder: Path) -> None:
    found = {each["name"]: each for each in ox("definitions", "--json").json}
    assert set(found) == {"double", "fulfil", "odd", "pause"}
    fulfil = found["fulfil"]
    assert fulfil["served"] is True
    assert fulfil["file"] == str(folder / "flows.py")
    assert fulfil["input_schema"]["required"] == ["order"]
    assert re.fullmatch(ISO, fulfil["registered_at"])
    assert re.search(
        r"fulfil +served +\S+flows.py:\d+ +Charge, then wait for approval\.", ox("definitions").out
    )


def test_without_a_node(namespace: str, ox: Ox) -> None:
    """Without --wait it is stored, and says how to serve it; with it, this process runs it."""
    stored = ox("run", "flows.py:double", "--id", "d")
    assert (stored.status, stored.out) == (0, "d\n")
    assert re.fullmatch(
        r"no node serves double yet: d waits for one, start it with `orquestrax start \S+flows.py`",
        stored.told[0],
    )
    assert ox("show", "d", "--json").json["status"] == "pending"
    waited = ox("run", "flows.py:double", "--id", "d", "--wait")
    assert waited.json == 42
    assert "no node serves double: this process does, until d has ended" in waited.told
    order = ox("run", "flows.py:double", "--input", "4", "--wait")
    assert order.json == 8


def test_input_from_file_and_stdin(namespace: str, ox: Ox, folder: Path) -> None:
    (folder / "n.json").write_text(" 5\n")
    assert ox("run", "flows.py:double", "--input", "@n.json", "--wait").json == 10
    command = [SCRIPT, "run", "flows.py:double", "--input", "-", "--wait"]
    done = subprocess.run(command, input=b"6", capture_output=True, check=True)
    assert done.stdout == b"12\n"


def test_what_steps_print_is_not_the_result(namespace: str, ox: Ox) -> None:
    (Path.cwd() / "loud.py").write_text(
        "import orquestrax as ox\nprint('importing')\n"
        "@ox.step\ndef shout() -> int:\n    print('shouting')\n    return 1\n"
        "@ox.workflow\nasync def loud() -> int:\n    return await shout()\n"
    )
    done = ox("run", "loud.py:loud", "--wait")
    assert done.out == "1\n"
    assert "shouting" in done.err


def test_code_that_does_not_fit_the_history(namespace: str, ox: Ox, folder: Path) -> None:
    (folder / "flow.py").write_text(FIRST)
    runner = subprocess.Popen(
        [SCRIPT, "run", "flow.py:flow", "--id", "f", "--wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert runner.stderr
    for line in runner.stderr:
        if "step_completed" in line:
            break
    runner.send_signal(2)
    out, err = runner.communicate(timeout=30)
    assert (runner.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "f goes on without you: orquestrax show f"
    (folder / "flow.py").write_text(FIRST.replace("one()", "two()"))
    refused = ox("run", "flow.py:flow", "--id", "f", "--wait")
    assert refused.status == 1
    assert refused.out == ""
    assert re.match("error: f cannot go on with this code: .*one.*two", refused.told[-1])
    (folder / "flow.py").write_text(FIRST.replace("sleep(1000)", "sleep(0)"))
    assert ox("run", "flow.py:flow", "--id", "f", "--wait").json == 1


FIRST = """
import asyncio
import orquestrax as ox

@ox.step
async def one() -> int:
    return 1

@ox.step
async def two() -> int:
    return 2

@ox.step
async def long() -> None:
    await asyncio.sleep(1000)

@ox.workflow
async def flow() -> int:
    first = await one()
    await long()
    return first
"""


def test_completion(namespace: str, ox: Ox, monkeypatch: pytest.MonkeyPatch) -> None:
    for id_ in ("order-1", "order-2", "reorder"):
        ox("run", "flows.py:double", "--id", id_)
    assert sorted(options.complete_ids("order")) == ["order-1", "order-2"]
    words = {"_ORQUESTRAX_COMPLETE": "complete_bash", "COMP_WORDS": "orquestrax show ord", "COMP_CWORD": "2"}
    done = subprocess.run([SCRIPT], env={**os.environ, **words}, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["order-1", "order-2"]
    monkeypatch.setenv("ORQUESTRAX_DATABASE_URL", "postgresql://127.0.0.1:1/nobody")
    assert options.complete_ids("order") == options.complete_definitions("f") == []


def test_help_and_release(ox: Ox) -> None:
    assert re.fullmatch(r"orquestrax \d\S*\n", ox("--version").out)
    everything = ox()
    assert everything.status == 0
    for command in ("dev", "start", "run", "list", "show", "events", "logs", "signal", "cancel", "terminate",
                    "pause", "resume", "drain",
                    "definitions", "db", "shell", "init"):  # fmt: skip
        assert re.search(rf"\b{command} +\S", everything.out)
        shown = ox(command, "--help")
        assert shown.status == 0
        assert "Example" in shown.out or command == "db"


def test_init(ox: Ox, folder: Path) -> None:
    (folder / "new").mkdir()
    (folder / "new" / "hello.py").write_text("mine")
    assert ox("init", "new").told == [
        "wrote new/orquestrax.toml", "kept new/hello.py: it is there already", "next: orquestrax dev new/hello.py",
    ]  # fmt: skip
    assert (folder / "new" / "hello.py").read_text() == "mine"
    assert load_settings({}, environ={}, project=folder / "new").database is None
    uncommented = re.sub(r"^# (?=\w+ = )", "", SETTINGS, flags=re.MULTILINE)
    (folder / "orquestrax.toml").write_text(uncommented)
    assert load_settings({}, environ={}, project=folder).port == 4000
    assert {line.split(" = ")[0] for line in uncommented.splitlines() if " = " in line} == set(KEYS) - {
        "token"
    }


def test_what_init_writes_runs(namespace: str, ox: Ox, folder: Path) -> None:
    ox("init")
    program = folder / "hello.py"
    program.write_text(program.read_text().replace("sleep(5)", "sleep(0)").replace("sleep(1)", "sleep(0)"))
    done = ox("run", "hello.py:hello", "--input", '"Ada"', "--wait")
    assert done.json == ["Hello, Ada!", "Hello, Ada, again!"]


def test_shell(namespace: str, ox: Ox) -> None:
    ox("run", "flows.py:double", "--id", "d")
    lines = [
        "runs = await client.list()", "runs[0].id", "ox.NotFound", "await client.get('nosuch')",
        "async def twice():", "    return 2 * len(await client.list())", "", "await twice()", "exit(3)", "print('no')",
    ]  # fmt: skip
    done = subprocess.run(
        [SCRIPT, "shell"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout.splitlines() == ["'d'", "<class 'orquestrax.base.errors.NotFound'>", "2"]
    assert "NotFound: there is no instance with the id 'nosuch'" in done.stderr
    assert "shell.py" not in done.stderr


def test_nobody_reads_on(namespace: str) -> None:
    """`orquestrax list --json | true` ends without a word."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [SCRIPT, "list", "--json"], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(write)
    assert done.returncode in (1, 141)  # as the libraries have it, or as a shell says it
    assert [line for line in done.stderr.splitlines() if not line.startswith("database: ")] == []


def test_module_of_the_package_runs(namespace: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orquestrax", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("orquestrax ")


def test_ctrl_c_in_the_shell(namespace: str) -> None:
    """It ends what runs, and leaves the prompt."""
    ours, theirs = pty.openpty()
    prompt = subprocess.Popen(
        [SCRIPT, "shell"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        while text not in shown:
            shown += os.read(ours, 4096).decode(errors="replace")
        shown = shown.partition(text)[2]

    until("`client` is connected")
    until(">>> ")
    os.write(ours, b"print('now'); await asyncio.sleep(1000)\n")
    until("now\r\n")
    prompt.send_signal(signal.SIGINT)
    until("KeyboardInterrupt")
    until(">>> ")
    os.write(ours, b"6 * 7\n")
    until("42")
    os.write(ours, b"exit()\n")
    assert prompt.wait(30) == 0
    os.close(ours)


def test_ctrl_c_anywhere(folder: Path, spawn: Callable[..., Running]) -> None:
    """No traceback, and the exit status that shells expect."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x"
        for command in (["list"], ["run", "flows.py:double", "--wait"], ["db", "migrate"], ["shell"]):
            running = spawn(*command, "--database", url)
            running.until("^database: ")
            with silent.accept()[0]:  # it has begun to connect
                ended = running.end(signal.SIGINT)
            assert (ended.status, ended.out) == (130, ""), ended
            assert [line for line in ended.told if line] == []
