"""Hints make it quick, and nothing depends on them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.base.ids import uuid7
from orquestrax.client.client import Client
from orquestrax.core.store.hints import MOST_KEYS, Hints
from orquestrax.core.store.migrate import migrate
from orquestrax.node import EngineOptions
from tests.store.proxy import Proxy
from tests.store.support import Rig, Told, running, until


@ox.workflow
async def greet() -> str:
    name: str = await ox.receive("name", str)
    await asyncio.sleep(0.05)
    return f"hello {name}"


@ox.workflow
async def forever() -> None:
    await ox.receive("never", str)


class Heard:
    """What a listener was called with, and a way to wait for more."""

    def __init__(self) -> None:
        self.payloads: list[str] = []

    def __call__(self, payload: str) -> None:
        self.payloads.append(payload)

    async def anything(self) -> None:
        """Wait until it is called, and forget it."""
        await until(lambda: self.payloads)
        self.payloads.clear()


async def listening(rig: Rig, *names: str) -> tuple[Hints, list[Heard]]:
    """Hints with a listener on each channel, subscribed."""
    hints, heard = await rig.hints(), [Heard() for _ in names]
    for name, one in zip(names, heard, strict=True):
        hints.listen(name, one)
    for one in heard:
        await one.anything()  # whoever subscribes is called once
    return hints, heard


async def test_each_kind_of_hint_reaches_its_listeners(rig: Rig):
    sender = await rig.hints()
    _, (work, mine, other, view, ended) = await listening(rig, "work", "node.7", "node.8", "view", "ended")
    key, over = uuid7(), uuid7()
    sender.work()
    sender.node(7)
    sender.view(key)
    sender.ended(over)
    await until(lambda: work.payloads and mine.payloads and view.payloads and ended.payloads)
    assert (work.payloads, mine.payloads, other.payloads) == ([""], [""], [])
    assert (set(view.payloads[0].split()), ended.payloads) == ({str(key), str(over)}, [str(over)])


async def test_hints_stay_within_their_schema(rig: Rig):
    elsewhere = replace(rig.address, schema=f"{rig.address.schema}x")
    await migrate(elsewhere)
    async with Rig(elsewhere) as neighbour:
        _, (theirs,) = await listening(neighbour, "work")
        sender, (ours,) = await listening(rig, "work")
        sender.work()
        await ours.anything()
        assert theirs.payloads == []


async def test_a_thousand_hints_are_a_few_notifications(rig: Rig):
    sender, (work, view) = await listening(rig, "work", "view")
    keys = [uuid7() for _ in range(MOST_KEYS)]
    for _ in range(1000):
        sender.work()
    for key in keys * 3:
        sender.view(key)
    await until(lambda: work.payloads and view.payloads)
    assert len(work.payloads) == 1
    assert len(view.payloads) == 1
    assert set(view.payloads[0].split()) == {str(key) for key in keys}


async def test_too_many_keys_for_a_payload_are_a_star(rig: Rig):
    sender, (view,) = await listening(rig, "view")
    for _ in range(MOST_KEYS + 1):
        sender.view(uuid7())
    await until(lambda: view.payloads)
    assert view.payloads == ["*"]


async def test_a_killed_listener_subscribes_again_and_says_so(rig: Rig, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="orquestrax.core.store.hints")
    sender = await rig.hints()
    hints, (work, view) = await listening(rig, "work", "view")
    assert hints._connection is not None
    await rig.rows("select pg_terminate_backend($1)", hints._connection.get_server_pid())
    await until(lambda: "hints are off, polls go on" in caplog.text)
    await until(lambda: work.payloads and view.payloads)
    assert (work.payloads, view.payloads) == (["*"], ["*"]), "what was missed is looked for"
    assert caplog.text.rstrip().endswith(f"hints are on: {hints.channel('view')}, {hints.channel('work')}")
    assert hints.connected
    work.payloads.clear()
    sender.work()
    await work.anything()


async def test_a_listener_that_comes_later_is_subscribed_and_one_that_goes_is_not_called(rig: Rig):
    hints, (work,) = await listening(rig, "work")
    late, again = Heard(), Heard()
    hints.listen("node.9", late)
    await late.anything()
    unlisten = hints.listen("work", again)
    hints.work()
    await until(lambda: work.payloads and again.payloads)
    unlisten()
    work.payloads.clear()
    again.payloads.clear()
    hints.work()
    await work.anything()
    assert again.payloads == []


async def test_hints_are_off_the_commit_path(rig: Rig, told: Told, proxy: Proxy):
    """A NOTIFY in every commit would cost a factor of two to three."""
    fence = await rig.node()
    journal = await rig.journal(fence, address=proxy.address)
    key = await rig.owned(fence)
    writes = [told.write(key, 1), told.park(key, 2)]
    for write in writes:
        journal.submit(write)
    await told.all(writes)
    assert proxy.statements
    assert not any(b"notify" in statement.lower() for statement in proxy.statements)


@pytest.mark.parametrize("hints", ["on", "off"])
async def test_I21_everything_holds_with_hints_off_only_a_poll_later(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hints: str
):
    """Start, claim, message, park, timer, cancel, terminate and result, with a client that is far away."""
    if hints == "off":
        for name in ("work", "node", "view"):
            monkeypatch.setattr(Hints, name, lambda *_: None)
    options = EngineOptions(poll=0.2, park_after=0.01)
    async with running(rig, tmp_path, greet, forever, options=options):
        client = Client(rig.client, await rig.hints())
        run = await client.start(greet, id="one")
        await until(lambda: status_is(run, "waiting"))
        await run.signal("name", "Ada")
        assert await run.result(20) == "hello Ada"
        for order in ("cancel", "terminate"):
            run = await client.start(forever, id=order)
            await until(lambda run=run: status_is(run, "waiting"))
            await getattr(run, order)("enough")
            with pytest.raises((ox.WorkflowCancelled, ox.WorkflowTerminated)):
                await run.result(20)


async def status_is(run: ox.client.Run, status: str) -> bool:
    return (await run.status()).status == status
