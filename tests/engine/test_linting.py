"""A node that begins to serve says what its linter has found, once, and serves all the same."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.define import linter
from orquestrax.define.catalogue import collect
from orquestrax.define.modules import load_modules
from orquestrax.node import linting
from tests.engine.conftest import Bench


@ox.workflow
async def clocked() -> bool:
    return time.time() > 0


@ox.workflow
async def clean() -> bool:
    return ox.now().year > 0


async def _told(caplog: pytest.LogCaptureFixture, what: str) -> list[str]:
    async with asyncio.timeout(20):
        while what not in caplog.text:
            await asyncio.sleep(0.01)
    return [record.getMessage() for record in caplog.records if record.name == "orquestrax.linter"]


async def test_findings_are_told_at_registration(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    client = await bench.node(clocked, clean)
    told = await _told(caplog, "silenced by the comment")
    assert len(told) == 2
    assert f"test_linting.py:{clocked.line + 2}: in workflow clocked, time.time() reads" in told[0]
    assert await (await client.start(clocked)).result(20) is True
    assert len(await _told(caplog, "")) == 2


def test_clean_code_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    linting.report([clean])
    assert not caplog.records


def test_a_linter_that_fails_stops_no_node(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_workflows: object) -> None:
        raise RecursionError

    monkeypatch.setattr(linter, "lint", fails)
    with caplog.at_level(logging.ERROR):
        linting.report([clean])
    assert "the linter failed" in caplog.text


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["orquestrax.demo", *sorted(map(str, ROOT.glob("examples/*.py")))])
def test_what_we_ship_is_clean(module: str) -> None:
    workflows = collect(load_modules([module])).workflows
    assert workflows
    assert linter.lint(workflows.values()) == []
