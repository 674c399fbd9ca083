"""`orquestrax logs`: what an instance has logged, for people and for programs."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import asyncpg
import msgspec
import pytest

from orquestrax.cli.logs import Lines
from tests.cli.conftest import Result

Ox = Callable[..., Result]

TALK = """
import logging

import orquestrax as ox

log = logging.getLogger("talk")


@ox.step
async def charge(amount: int) -> None:
    try:
        amount / 0
    except ZeroDivisionError:
        log.exception("charging\\n%d \\x1b[31m", amount)


@ox.workflow
async def talk() -> None:
    log.warning("begun")
    await charge(7)
"""


@pytest.fixture
def talked(folder: Path, namespace: str, ox: Ox) -> Ox:
    """An instance that has logged, and ended."""
    (folder / "talk.py").write_text(TALK)
    assert ox("run", "talk.py:talk", "--id", "t", "--wait").status == 0
    return ox


def test_records_are_printed_for_people(talked: Ox) -> None:
    lines = talked("logs", "t").out.splitlines()
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{stamp}  WARNING  -  begun", lines[0])
    assert re.fullmatch(rf"{stamp}  ERROR    charge  charging", lines[1])
    assert lines[2] == r"    7 \x1b[31m"
    assert lines[3] == "    Traceback (most recent call last):"
    assert lines[-1] == "    ZeroDivisionError: division by zero"
    assert talked("logs", "t", "--step", "-").out.splitlines() == lines[:1]
    assert talked("logs", "t", "--level", "error").out.splitlines() == lines[1:]
    assert talked("logs", "t", "--step", "nobody").out == ""
    assert talked("logs", "t", "--follow").out.splitlines() == lines  # it has ended, so this ends too


def test_records_are_json_for_programs(talked: Ox) -> None:
    first, second = talked("logs", "t", "--json").json
    assert {name: first[name] for name in ("level", "logger", "step", "attempt", "message", "traceback")} == {
        "level": "WARNING", "logger": "talk", "step": "-", "attempt": 0, "message": "begun", "traceback": None,
    }  # fmt: skip
    assert (second["step"], second["attempt"]) == ("charge", 1)
    lines = talked("logs", "t", "--follow", "--json", "--level", "ERROR").out.splitlines()
    assert [msgspec.json.decode(line) for line in lines] == [second]


def test_what_is_asked_wrongly_is_one_sentence(namespace: str, ox: Ox) -> None:
    ox("logs", "nobody").refused(1, "there is no instance with the id 'nobody'")
    ox("logs", "nobody", "--follow").refused(1, "there is no instance with the id 'nobody'")
    ox("logs", "x", "--level", "loud").refused(2, "there is no level 'loud': use one of DEBUG, INFO, ")


def test_a_sentence_of_ours_is_one_line_whatever_it_quotes() -> None:
    """An error of PostgreSQL comes with details on lines of their own; an instance's id is anybody's text."""
    error = asyncpg.PostgresError("refused")
    error.detail = "Key (id)=(7)"
    record = logging.makeLogRecord(
        {
            "name": "orquestrax.core.journal",
            "levelname": "ERROR",
            "msg": "%s: %s",
            "args": ("x\x1b[2J", error),
        }
    )
    line = Lines(colours=False).format(record)
    assert line == r"error: x\x1b[2J: refused DETAIL: Key (id)=(7)"
