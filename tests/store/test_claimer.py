"""The claimer's rounds: what they cost, and what they never miss for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import orquestrax as ox
from orquestrax.client.client import Client
from orquestrax.core.store.hints import Hints
from orquestrax.node import EngineOptions
from tests.store.support import Rig, order, running, until

PATIENT = EngineOptions(poll=600, heartbeat=600, lease=6000)  # nothing is found by a poll


@ox.workflow
async def greet() -> str:
    return "hello"


@ox.workflow
async def hears() -> int:
    return await ox.receive("s", int)


@ox.step
async def works() -> None:
    await asyncio.Event().wait()


@ox.workflow
async def hears_at_work() -> int:
    """It never parks, which would show that there is mail."""

    async def work_on() -> None:
        await works()

    work = asyncio.create_task(work_on())
    heard = await ox.receive("s", int)
    work.cancel()
    return heard


@ox.workflow
async def elsewhere() -> None: ...


async def outsider(rig: Rig) -> Client:
    """A client without an engine beside it."""
    return Client(rig.client, await rig.hints())


async def test_what_never_started_and_has_no_mail_is_claimed_without_asking_for_its_history(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with running(rig, tmp_path, greet, hears, options=PATIENT) as (node, _):
        asked = list[UUID]()
        read = node.incarnation.store.histories

        async def histories(keys: Sequence[UUID]) -> Any:
            asked.extend(keys)
            return await read(keys)

        monkeypatch.setattr(node.incarnation.store, "histories", histories)
        client = await outsider(rig)
        assert await (await client.start(greet)).result(20) == "hello"
        assert asked == []
        key = await rig.pending("mail", definition="hears")
        await rig.client.send([order(key, name="s", payload=b"7")])
        client.hints.work()
        assert await (await client.get("mail", hears)).result(20) == 7
        assert asked[:1] == [key]


async def test_I10_mail_that_comes_between_claim_and_memory_is_read_at_once(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It was read when nobody was there to take it, and no poll would find it."""
    async with running(rig, tmp_path, hears_at_work, options=PATIENT) as (node, _):
        claimer, store = node.incarnation.claimer, node.incarnation.store
        claim = store.claim
        monkeypatch.setattr(Hints, "node", lambda *_: None)

        async def claim_and_hear(*how: Any) -> Any:
            rows = await claim(*how)
            for row in rows:
                await rig.client.send([order(row.key, name="s", payload=b"7")])
                await claimer._mail_round()
            return rows

        monkeypatch.setattr(store, "claim", claim_and_hear)
        assert await (await (await outsider(rig)).start(hears_at_work)).result(20) == 7


async def test_I20_an_order_to_what_nobody_serves_is_carried_out_at_its_hint(rig: Rig, tmp_path: Path):
    async with running(rig, tmp_path, greet, options=PATIENT) as (node, _):
        await until(lambda: node.incarnation.claimer._vain)  # the first round, which is a poll, is over
        client = await outsider(rig)
        run = await client.start(elsewhere)
        await run.cancel("never mind")
        with pytest.raises(ox.WorkflowCancelled):
            await run.result(20)


async def test_who_looks_in_vain_follows_hints_later(rig: Rig, tmp_path: Path):
    async with running(rig, tmp_path, greet, options=PATIENT) as (node, _):
        claimer = node.incarnation.claimer
        rounds, sound = list[float](), claimer._next

        async def noted(event: asyncio.Event, began: float) -> None:
            if event is claimer._due:
                rounds.append(began)
            await sound(event, began)

        claimer._next = noted
        while len(rounds) < 6:
            claimer.look_for_work()
            await asyncio.sleep(0.001)
        assert rounds[5] - rounds[2] >= 0.05, (
            "three times as long as a round is apart from the next, fourfold"
        )
        client = await outsider(rig)
        assert await (await client.start(greet)).result(20) == "hello", "later, not never"
