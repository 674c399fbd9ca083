"""Logs: what workflows and steps log is kept, once, bounded, and harms nobody."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

import orquestrax as ox
from orquestrax.base import logs
from orquestrax.client.client import Client
from orquestrax.client.following import follow
from orquestrax.client.handle import Run
from orquestrax.core.store.logs import LogStore, LogView
from orquestrax.node.logcapture import LogCapture
from orquestrax.node.logshipper import LogShipper
from tests.engine.conftest import Bench

# `orquestrax.node` is a function, too
logshipper = sys.modules[LogShipper.__module__]

log = logging.getLogger("shop")


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """As a user sets it."""
    log.setLevel(logging.DEBUG)
    yield
    log.setLevel(logging.NOTSET)


@ox.step
async def charge(amount: int) -> int:
    log.info("charging %d", amount)
    return amount


@ox.step
def pack(name: str) -> str:
    log.warning("packing %s", name, extra={"step": "mine"})
    return name


@ox.step(executor="process")
def render(name: str) -> str:
    log.info("rendering %s", name)
    return name


@ox.step(retry=ox.Retry(attempts=2, initial=0.01))
async def flaky() -> None:
    try:
        vars(ox)["no such key"]
    except KeyError:
        log.exception("it failed")
        raise


@ox.workflow
async def fulfil() -> str:
    log.info("begun")
    await charge(7)
    log.debug("unimportant")
    await pack("tea")
    await ox.receive("go")
    log.info("going")
    return "done"


@ox.workflow
async def failing() -> None:
    await flaky()


@ox.workflow
async def rendering() -> str:
    return await render("x")


@ox.workflow
async def speaking(what: str, times: int = 1) -> None:
    for _ in range(times):
        log.info("%s", what)


async def records(bench: Bench, run: Run[Any], count: int, **filters: Any) -> list[LogView]:
    """What is kept of a run, once there is that much of it."""
    store = LogStore(bench.nodes[-1].database)
    async with asyncio.timeout(20):
        while len(found := await store.of(run.key, **filters)) < count:
            await asyncio.sleep(0.02)
    assert len(found) == count
    return found


def told(found: list[LogView]) -> list[tuple[str, int, str]]:
    return [(one.step, one.attempt, one.message) for one in found]


async def waits(run: Run[Any], status: str = "waiting") -> None:
    async with asyncio.timeout(20):
        while (await run.status()).status != status:
            await asyncio.sleep(0.01)


async def test_records_carry_instance_step_and_attempt(bench: Bench) -> None:
    client = await bench.node(fulfil)
    run = await client.start(fulfil)
    await run.signal("go")
    await run.result()
    found = await records(bench, run, 4)
    assert told(found) == [
        ("", 0, "begun"), ("charge", 1, "charging 7"), ("pack", 1, "packing tea"), ("", 0, "going")
    ]  # fmt: skip
    assert [one.level for one in found] == [20, 20, 30, 20]
    assert {one.logger for one in found} == {"shop"}
    assert {one.node for one in found} == {bench.nodes[0].name}
    view = await client.view(run.id)
    assert view.started_at is not None
    assert view.started_at - 1_000_000 <= found[0].at <= found[-1].at
    assert [one.number for one in found] == sorted(one.number for one in found)
    store = LogStore(bench.nodes[0].database)
    assert told(await store.of(run.key, level=30)) == [("pack", 1, "packing tea")]
    assert told(await store.of(run.key, step="charge")) == [("charge", 1, "charging 7")]
    assert told(await store.of(run.key, after=found[1].number, limit=1)) == [("pack", 1, "packing tea")]
    assert told(await store.tail(run.key, limit=2)) == told(found[-2:])
    assert await store.steps(run.key) == ["", "charge", "pack"]


async def test_a_start_that_is_stored_first_logs_its_beginning_too(bench: Bench) -> None:
    elsewhere = await bench.node()
    run = await elsewhere.start(fulfil)
    await bench.node(fulfil)
    await waits(run)
    assert told(await records(bench, run, 3))[0] == ("", 0, "begun")


async def test_exceptions_come_with_their_traceback_for_each_attempt(bench: Bench) -> None:
    client = await bench.node(failing)
    run = await client.start(failing)
    with pytest.raises(ox.WorkflowFailed):
        await run.result()
    found = await records(bench, run, 2)
    assert told(found) == [("flaky", 1, "it failed"), ("flaky", 2, "it failed")]
    assert all((one.trace or "").endswith("KeyError: 'no such key'") for one in found)
    assert found[0].trace.startswith("Traceback (most recent call last):")  # type: ignore[union-attr]


async def test_steps_in_child_processes_log_by_way_of_their_node(bench: Bench) -> None:
    client = await bench.node(rendering)
    run = await client.start(rendering)
    await run.result()
    assert told(await records(bench, run, 1)) == [("render", 1, "rendering x")]


@pytest.mark.parametrize("end", [Bench.crash, Bench.stop])
async def test_what_was_logged_is_not_logged_again_elsewhere(
    bench: Bench, end: Callable[[Bench], Awaitable[None]]
) -> None:
    client = await bench.node(fulfil)
    run = await client.start(fulfil)
    await waits(run)
    await records(bench, run, 3)
    await end(bench)
    successor = await bench.node(fulfil)
    again = await successor.get(run.id)
    await again.signal("go")
    await again.result()
    found = await records(bench, run, 4)
    assert [one.message for one in found] == ["begun", "charging 7", "packing tea", "going"]


async def test_two_nodes_of_one_process_keep_their_own(bench: Bench) -> None:
    first = await bench.node(fulfil)
    second = await bench.node(speaking)
    one, two = await first.start(fulfil), await second.start(speaking, "hi")
    assert told(await records(bench, two, 1)) == [("", 0, "hi")]
    (kept,) = await records(bench, two, 1)
    assert kept.node == bench.nodes[1].name
    found = await records(bench, one, 3)
    assert {record.node for record in found} == {bench.nodes[0].name}


HOSTILE = {
    "a\0b": "a\N{REPLACEMENT CHARACTER}b",
    "half \ud800": "half \N{REPLACEMENT CHARACTER}",
    "<script>alert(1)</script>\n\x1b[31m": "<script>alert(1)</script>\n\x1b[31m",
    "\N{GRINNING FACE}": "\N{GRINNING FACE}",
    "": "",
}


async def test_what_cannot_be_stored_is_replaced_and_what_is_huge_is_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half a character would end the test run's own way of handing records on, and wrong arguments be complained of.
    monkeypatch.setattr(log, "propagate", False)
    monkeypatch.setattr(logging, "raiseExceptions", False)

    class Rude:
        def __str__(self) -> str:
            raise RuntimeError("no")

    @ox.workflow
    async def hostile() -> None:
        for text in HOSTILE:
            log.info("%s", text)
        log.info("x" * 100_000)
        log.info("%d apples", "many")
        log.info("%s", Rude())
        log.info(Rude())
        log.log(10**9, "loud")

    client = await bench.node(hostile)
    run = await client.start(hostile)
    await run.result()
    found = [one.message for one in await records(bench, run, len(HOSTILE) + 5)]
    assert found[: len(HOSTILE)] == list(HOSTILE.values())
    assert found[-5] == "x" * 16_000 + "… (84,000 more characters)"
    assert found[-4:] == [
        "%d apples (its arguments do not fit)",
        "%s (its arguments do not fit)",
        "?",
        "loud",
    ]


async def test_an_instance_may_log_one_megabyte(bench: Bench) -> None:
    client = await bench.node(speaking)
    run = await client.start(speaking, "x" * 10_000, 150)
    await run.result()
    async with asyncio.timeout(20):
        while not (found := await LogStore(bench.nodes[0].database).tail(run.key, level=30)):
            await asyncio.sleep(0.02)
    assert [one.message for one in found] == ["what follows is not kept: an instance may log 1 MB"]
    kept = await LogStore(bench.nodes[0].database).of(run.key)
    assert kept[-1].number == found[0].number
    size = sum(len(one.message) for one in kept)
    assert 980_000 < size <= 1_000_000 + 100
    other = await client.start(speaking, "still there")
    assert told(await records(bench, other, 1)) == [("", 0, "still there")]


async def test_records_that_come_too_fast_are_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await bench.node(speaking)
    monkeypatch.setattr(bench.nodes[0].incarnation.logs.capture, "_most", 100)  # type: ignore[union-attr]
    run = await client.start(speaking, "hurry", 5_000)  # without a pause, so before the first batch
    found = await records(bench, run, 101)
    assert {one.message for one in found[:-1]} == {"hurry"}
    assert found[-1].message == "4,900 records dropped: they came faster than they could be written"
    assert (found[-1].level, found[-1].logger) == (30, "orquestrax")


async def test_a_message_that_takes_long_to_format_holds_up_nobody(bench: Bench) -> None:
    formatting, formatted = threading.Event(), threading.Event()

    class Slow:
        def __str__(self) -> str:
            formatting.set()
            assert formatted.wait(20)
            return "at last"

    @ox.step(name="slow")
    def slow() -> None:
        log.info("%s", Slow())

    @ox.workflow
    async def waiting() -> None:
        await slow()

    silenced, root = logging.NullHandler(), logging.getLogger()
    others = list(root.handlers)
    for handler in others:  # those of the test's runner lock while they format
        root.removeHandler(handler)
    root.addHandler(silenced)
    try:
        client = await bench.node(waiting, speaking)
        run = await client.start(waiting)
        await asyncio.to_thread(formatting.wait, 20)
        other = await client.start(speaking, "meanwhile")
        assert told(await records(bench, other, 1)) == [("", 0, "meanwhile")]
        formatted.set()
        await run.result()
        assert told(await records(bench, run, 1)) == [("slow", 1, "at last")]
    finally:
        root.removeHandler(silenced)
        for handler in others:
            root.addHandler(handler)


async def test_nothing_is_there_where_nobody_logs(bench: Bench) -> None:
    handlers, heard = list(logging.getLogger().handlers), len(logs._listeners)
    client: Client = await bench.node(speaking)
    assert logging.getLogger().handlers == handlers  # one more, and `logging.basicConfig` would do nothing
    assert len(logs._listeners) == heard + 1
    run = await client.start(speaking, "", 0)
    await run.result()
    log.info("of nobody")
    sessions = (
        "select count(*) as n from pg_stat_activity"
        " where application_name = 'orquestrax logs' and datname = current_database()"
    )
    before = (await bench.query(sessions))[0]["n"]
    assert not any(task.get_name() == "log shipper" for task in asyncio.all_tasks())
    await bench.stop()
    assert len(logs._listeners) == heard
    assert (await bench.query(sessions))[0]["n"] <= before
    await bench.node(speaking)
    await bench.crash()
    assert len(logs._listeners) == heard


async def test_a_node_that_stops_writes_what_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logshipper, "GATHER", 60.0)
    client = await bench.node(speaking)
    run = await client.start(speaking, "goodbye")
    await run.result()
    async with asyncio.timeout(20):  # far below the pause
        await bench.stop()
    await bench.node()
    assert told(await records(bench, run, 1)) == [("", 0, "goodbye")]


async def test_a_batch_that_could_not_be_written_is_written_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await bench.node(speaking)
    first = await client.start(speaking, "before")
    await records(bench, first, 1)
    cut = asyncio.Event()
    take = LogCapture.take

    def cutting(self: LogCapture, most: int) -> Any:
        if not cut.is_set():
            cut.set()
            asyncio.get_running_loop().create_task(
                bench.query(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'orquestrax logs' and datname = current_database()"
                )
            )
        return take(self, most)

    monkeypatch.setattr(LogCapture, "take", cutting)
    run = await client.start(speaking, "during")
    assert told(await records(bench, run, 1)) == [("", 0, "during")]


async def test_who_follows_sees_all_until_the_end_also_what_comes_late(bench: Bench) -> None:
    await bench.query("alter table {schema}.logs alter column number restart with 100")
    client = await bench.node(fulfil)
    run = await client.start(fulfil)
    seen: list[str] = []
    async with asyncio.timeout(20), aclosing(follow(client, run.key)) as coming:
        async for entry in coming:
            seen.append(entry.message)
            if entry.message == "packing tea":  # another node's transaction was slower
                await bench.query(
                    "insert into {schema}.logs"
                    " (instance, number, at, total, level, attempt, node, logger, step, message)"
                    " overriding system value values ($1, 50, now(), 0, 20, 1, 'other', 'shop', 'far', 'late')",
                    run.key,
                )
                client.hints.view(run.key)
            if entry.message == "late":
                await run.signal("go")
    assert seen == ["begun", "charging 7", "packing tea", "late", "going"]


async def test_who_follows_one_step_hears_of_no_other(bench: Bench) -> None:
    client = await bench.node(fulfil)
    run = await client.start(fulfil)
    await run.signal("go")
    await run.result()
    async with asyncio.timeout(20):
        charged = [entry.message async for entry in follow(client, run.key, step="charge")]
        own = [entry.message async for entry in follow(client, run.key, step="-", level="info")]
    assert (charged, own) == (["charging 7"], ["begun", "going"])
    with pytest.raises(ox.InvalidInput, match="there is no level 'loud'"):
        await anext(follow(client, run.key, level="loud"))
