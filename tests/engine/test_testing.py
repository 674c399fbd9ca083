"""`ox.testing`: histories replayed here and in processes with other hash seeds, from the database and from files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import orquestrax as ox
from orquestrax import testing
from orquestrax.define.workflow import Workflow
from tests.engine import flawed
from tests.engine.conftest import Bench


async def ended(bench: Bench, workflow: Workflow[..., Any], *arguments: Any) -> testing.History:
    client = await bench.node(workflow)
    run = await client.start(workflow, *arguments)
    await run.result(20)
    return await testing.history(client, run.id)


async def test_sound_code_passes_here_and_elsewhere(bench: Bench, tmp_path: Path) -> None:
    history = await ended(bench, flawed.with_sets_as_values, flawed.Order("x", frozenset(flawed.NAMES)))
    ox.testing.replay(flawed.with_sets_as_values, history)
    await ox.testing.assert_deterministic(flawed.with_sets_as_values, history, seeds=2)
    file = tmp_path / "history.json"
    file.write_bytes(history.to_json())
    read = ox.testing.History.from_json(file.read_bytes())
    assert read == history
    assert [event.type for event in read.events] == ["step_completed", "completed"]
    await asyncio.to_thread(testing.replay, flawed.with_sets_as_values, read)


async def test_the_hash_seed_shows_elsewhere_alone(bench: Bench) -> None:
    history = await ended(bench, flawed.in_the_order_of_a_set)
    testing.replay(flawed.in_the_order_of_a_set, history)
    with pytest.raises(ox.NonDeterminism, match=r"step 'one'.*step 'two'|step 'two'.*step 'one'") as caught:
        await testing.assert_deterministic(flawed.in_the_order_of_a_set, history)
    assert caught.value.file == flawed.__file__
    assert caught.value.line == flawed.in_the_order_of_a_set.line + 4


async def test_arguments_in_the_order_of_a_set_show_between_seeds(bench: Bench) -> None:
    """They leave no mark in the history, and in one process they are always the same."""
    history = await ended(bench, flawed.arguments_in_the_order_of_a_set)
    testing.replay(flawed.arguments_in_the_order_of_a_set, history)
    with pytest.raises(ox.NonDeterminism, match="one with another hash seed step one with") as caught:
        await testing.assert_deterministic(flawed.arguments_in_the_order_of_a_set, history, seeds=2)
    assert caught.value.line == flawed.arguments_in_the_order_of_a_set.line + 2


async def test_the_clock_shows_here(bench: Bench) -> None:
    history = await ended(bench, flawed.with_the_clock_in_an_argument)
    with pytest.raises(
        ox.NonDeterminism, match=r"one replay has step one as command 1 with .*, another replay"
    ):
        testing.replay(flawed.with_the_clock_in_an_argument, history)


async def test_changed_code_shows_with_both_sides(bench: Bench) -> None:
    history = await ended(bench, flawed.steady, ["a", "b"])

    @ox.workflow(name="steady")
    async def changed(names: list[str]) -> list[str]:
        return [await flawed.two(name) for name in names]

    @ox.workflow(name="steady")
    async def shorter(names: list[str]) -> list[str]:
        return [await flawed.one(name) for name in names[:1]]

    @ox.workflow(name="steady")
    async def otherwise(names: list[str]) -> list[str]:
        return [await flawed.one(name) for name in names][::-1]

    for workflow, sides in (
        (changed, "the history has step 'one' completed as command 1.*the code asked for step 'two'"),
        (shorter, "ended as completed"),
        (otherwise, r'the history has the result \["a","b"\]; the code returns \["b","a"\]'),
    ):
        with pytest.raises(ox.NonDeterminism, match=sides):
            testing.replay(workflow, history)


async def test_an_instance_that_still_waits_is_replayed_as_far_as_it_is(bench: Bench) -> None:
    client = await bench.node(waits)
    run = await client.start(waits)
    async with asyncio.timeout(20):
        while len(await run.history()) < 2:
            await asyncio.sleep(0.02)
    history = await testing.history(client, run.id)
    assert testing.History.from_json(history.to_json()) == history
    testing.replay(waits, history)
    await testing.assert_deterministic(waits, history, seeds=1)


@ox.workflow
async def waits() -> str:
    await flawed.one("x")
    return str(await ox.receive("go"))


async def test_what_cannot_be_replayed_says_why(bench: Bench) -> None:
    hidden = flawed.within()
    history = await ended(bench, hidden)
    with pytest.raises(
        ox.InvalidInput, match="hidden cannot be replayed in another process: hidden is not at the top"
    ):
        await testing.assert_deterministic(hidden, history, seeds=1)
    with pytest.raises(ox.InvalidInput, match="is one of hidden, not of steady"):
        testing.replay(flawed.steady, history)
    with pytest.raises(ox.InvalidInput, match="decorate the function"):
        testing.replay(flawed.steady.fn, history)  # type: ignore[arg-type]
    with pytest.raises(ox.InvalidInput, match="seeds=0"):
        await testing.assert_deterministic(hidden, history, seeds=0)
    client = await bench.node()
    with pytest.raises(ox.NotFound):
        await testing.history(client, "nobody")
