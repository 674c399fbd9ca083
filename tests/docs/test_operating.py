"""What docs/operating.md shows is true: commands, unit, settings and code."""

from __future__ import annotations

import asyncio
import configparser
import re
import shlex
from pathlib import Path

import pytest
import typer
from tests.engine.until import until_status

import orquestrax as ox
from orquestrax.cli.app import app
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.settings import load_settings

TEXT = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@ox.workflow
async def held() -> int:
    return await ox.receive("go", int)


def _parses(line: str) -> None:
    """The command line is one that the commands take; nothing is run."""
    words = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(app)
    while commands := getattr(command, "commands", None):
        command = commands[words.pop(0)]
    command.make_context("orquestrax", words)


def test_the_commands_are_commands() -> None:
    lines = [line for block in _blocks("sh") for line in block.splitlines()]
    assert len(lines) == 6
    for line in lines:
        _parses(line)


def test_the_unit_starts_a_node_and_waits_longer_than_its_grace() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(_blocks("ini")[0])
    command = unit["Service"]["ExecStart"]
    _parses(command)
    grace = float(re.findall(r"--grace (\d+)", command)[0])
    assert float(unit["Service"]["TimeoutStopSec"]) > grace
    assert unit["Service"]["KillMode"] == "mixed", "step processes are the node's to end"
    assert unit["Service"]["Restart"] == "on-failure", (
        "a node that was told to drain stays away: its status is 0"
    )
    assert unit["Unit"]["StartLimitIntervalSec"] == "0", (
        "a database that is away for long is no reason to give up"
    )
    assert "Environment=ORQUESTRAX_HOME=/var/lib/" + unit["Service"]["StateDirectory"] in _blocks("ini")[0]


def test_the_settings_are_settings(tmp_path: Path) -> None:
    (tmp_path / "orquestrax.toml").write_text(_blocks("toml")[0])
    settings = load_settings({}, environ={}, project=tmp_path)
    assert not settings.prepared
    assert settings.listen == "postgresql://shop@db.example.org:5432/shop"
    for wrong, sentence in (("hints = 3", "hints from .* is 3: it must be true or false"),):
        (tmp_path / "orquestrax.toml").write_text(wrong)
        with pytest.raises(ox.SettingsError, match=sentence):
            load_settings({}, environ={}, project=tmp_path)


async def test_the_code_pauses_and_resumes(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path))
    scope: dict[str, object] = {}
    exec(_blocks("python")[0].replace("    ...\n", "    await seen(run)\n"), scope)

    async def seen(run: object) -> None:
        await until_status(run, "paused")  # type: ignore[arg-type]

    scope["seen"] = seen
    await migrate(Address(dsn=dsn, schema="docs_operating"))
    async with ox.node(workflows=[held], database=dsn, namespace="docs_operating") as client:
        run = await client.start(held, id="order-42")
        async with asyncio.timeout(20):
            await scope["hold"](client, "order-42")  # type: ignore[operator]
        await run.signal("go", 1)
        assert await run.result(20) == 1
