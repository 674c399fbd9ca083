"""Arguments and results are decoded once and handed on: still every reader has what is stored, and nobody else's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import orquestrax as ox
from orquestrax import Retry
from orquestrax.model import events
from orquestrax.replay.machine import SMALL
from tests.checker import check_instance
from tests.engine.conftest import Bench

AGAIN = Retry(attempts=2, initial=0.01, jitter=0)
LARGE = ["x" * SMALL]
kept: dict[str, Any] = {}
seen: list[tuple[int, list[str]]] = []


@ox.step(retry=AGAIN)
async def spoil(words: list[str]) -> list[str]:
    """Changes what it was given, and fails once."""
    seen.append((ox.step_info().attempt, list(words)))
    words.append("spoiled")
    if ox.step_info().attempt == 1:
        raise ValueError("once")
    return words


@ox.step(retry=AGAIN)
def spoil_in_thread(words: list[str]) -> list[str]:
    seen.append((ox.step_info().attempt, list(words)))
    words.append("spoiled")
    if ox.step_info().attempt == 1:
        raise ValueError("once")
    return words


@ox.step
async def keep(words: list[str]) -> list[str]:
    """Changes what it has returned after that."""
    kept["given"] = words
    kept["returned"] = returned = ["a"]
    return returned


@ox.workflow
async def spoiling(words: list[str], threaded: bool) -> list[list[str]]:
    spoiled = await (spoil_in_thread(words) if threaded else spoil(words))
    return [words, spoiled]


@ox.workflow
async def apart() -> list[bool]:
    mine = ["m"]
    first = await keep(mine)
    first.append("changed here")
    same = [kept["given"] is mine, kept["returned"] is first]
    second = await keep(mine)
    return [*same, second == ["a"], second is first]


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("words", [["a"], LARGE], ids=["small", "large"])
async def test_what_a_body_changes_is_not_what_its_next_attempt_gets(
    bench: Bench, words: list[str], threaded: bool
) -> None:
    client = await bench.node(spoiling)
    seen.clear()
    result = await (await client.start(spoiling, words, threaded, id="s")).result(20)
    assert seen == [(1, words), (2, words)]
    assert result == [words, [*words, "spoiled"]]
    history = await check_instance(client, spoiling, "s")
    (done,) = [events.decode(event) for event in history if event.type == events.STEP_COMPLETED]
    assert msgspec.json.decode(done.result) == [*words, "spoiled"]


async def test_code_and_body_hold_nothing_of_each_other(bench: Bench) -> None:
    client = await bench.node(apart)
    assert await (await client.start(apart, id="a")).result(20) == [False, False, True, False]
    history = await check_instance(client, apart, "a")
    done = [events.decode(event) for event in history if event.type == events.STEP_COMPLETED]
    assert [bytes(each.result) for each in done] == [b'["a"]', b'["a"]'], (
        "what the code did to it is not stored"
    )
