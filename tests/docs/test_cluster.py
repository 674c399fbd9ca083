"""What docs/cluster.md says can be done: its two terminals, and the command of its systemd unit."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.e2e.support import free_port

TEXT = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
TERMINALS = [text for kind, text in BLOCKS if kind == "console"][1]
COMMANDS = [shlex.split(line, comments=True)[1:] for line in TERMINALS.splitlines()]
SCRIPT = str(Path(sys.executable).with_name("orquestrax"))


def test_the_unit_starts_a_node() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(next(text for kind, text in BLOCKS if kind == "ini"))
    service = unit["Service"]
    command = shlex.split(service["ExecStart"])
    assert Path(command[0]).name == "orquestrax"
    known = subprocess.run([SCRIPT, *command[1:], "--help"], capture_output=True, text=True, check=False)
    assert known.returncode == 0, known.stderr
    assert int(service["TimeoutStopSec"]) > 10, "the steps' ten seconds, and the end itself"
    assert service["KillMode"] == "mixed", "step processes are the node's to end"
    assert service["Restart"] == "on-failure", "a node that was told to drain stays away: its status is 0"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0", (
        "a database that is away for long is no reason to give up"
    )
    assert f"ORQUESTRAX_HOME=/var/lib/{service['StateDirectory']}" in TEXT


@pytest.mark.verify
def test_two_terminals(tmp_path: Path, dsn: str) -> None:
    (tmp_path / "shop.py").write_text(next(text for kind, text in BLOCKS if kind == "python"))
    env = {**os.environ, "ORQUESTRAX_HOME": str(tmp_path / "home"), "ORQUESTRAX_PORT": str(free_port())}
    env |= {"ORQUESTRAX_DATABASE_URL": dsn, "ORQUESTRAX_NAMESPACE": "docs_cluster"}
    export, migrate, *starts, run, nodes = COMMANDS
    assert export[0] == "export"
    assert [command[1] for command in starts] == ["start", "start"]

    def ask(command: list[str], *more: str) -> str:
        done = subprocess.run(
            [SCRIPT, *command[1:], *more], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    ask(migrate)
    running = []
    try:
        for command in starts:
            node = subprocess.Popen(
                [SCRIPT, *command[1:]], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
            )
            running.append(node)
            assert node.stderr is not None
            assert any("serves pack_all" in line for line in node.stderr)
        assert ask(run) == "100\n"
        found = msgspec.json.decode(ask(nodes, "--json"))
        assert {(node["status"], node["pid"]) for node in found} == {("alive", node.pid) for node in running}
        for node in running:
            node.send_signal(signal.SIGTERM)
            assert node.wait(30) == 0
    finally:
        for node in running:
            if node.poll() is None:
                node.kill()
            node.wait()
            assert node.stderr is not None
            node.stderr.close()
