"""A crash at every durable boundary of the kitchen sink, as `async def` and as plain `def`: another engine goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from orquestrax.base import faultpoint
from orquestrax.base.errors import OrquestraxError
from orquestrax.client.client import Client
from orquestrax.core.store.database import Address
from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.migrate import reset
from orquestrax.define.workflow import Workflow
from orquestrax.model import events
from orquestrax.node import EngineOptions, Node
from orquestrax.settings import Settings
from tests.checker import check_instance
from tests.faults.careful import CAREFUL, careful_kitchen
from tests.faults.kitchen import EXPECTED, bodies, kitchen_sink
from tests.faults.plain_kitchen import plain_kitchen_sink

# Parks as often as it can, and polls often enough for a test.
OPTIONS = EngineOptions(park_after=0.0, poll=0.05, lanes=1)


class Crash(BaseException):
    """Raised at the boundary: nothing of the engine may catch it."""


@dataclass
class Crasher:
    """Drops the engine when boundary number `at` is reached; from then on nothing of it goes past a boundary."""

    at: int | None
    reached: int = 0
    names: list[str] = field(default_factory=list)
    node: Node | None = None
    down: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, name: str) -> None:
        if self.down.is_set():
            return
        self.reached += 1
        self.names.append(name)
        if self.reached == self.at:
            assert self.node is not None
            assert self.node.incarnation is not None
            self.down.set()
            self.node.incarnation.abandon()
            raise Crash(name)


class Kitchen:
    """A schema, a home, and nodes one after another."""

    def __init__(
        self, dsn: str, home: Path, sink: Workflow[[int], dict[str, object]], expected: dict[str, object]
    ) -> None:
        self.sink, self.expected = sink, expected
        self.settings = Settings(database=dsn, home=home, project=home, namespace="kitchen")
        self.address = Address(dsn=dsn, schema="kitchen")

    async def node(self) -> tuple[Node, Client]:
        node = Node(self.settings, {self.sink.name: self.sink}, options=OPTIONS, migrates=False)
        return node, await node.start()

    async def empty(self) -> None:
        """As after a reset, and quicker."""
        connection = await asyncpg.connect(self.address.dsn)
        for table in ("events", "inbox", "tasks", "instances"):
            await connection.execute(f"delete from kitchen.{table}")
        await connection.execute("delete from kitchen_bookings")
        await connection.close()

    async def bookings(self) -> int:
        """How often the transactional step has taken effect."""
        connection = await asyncpg.connect(self.address.dsn)
        count: int = await connection.fetchval("select count(*) from kitchen_bookings")
        await connection.close()
        return count

    async def bury(self, node: Node) -> None:
        """What a successor on the same machine does at once; within one process nobody may probe the lock."""
        incarnation = node.incarnation
        assert incarnation is not None
        await declare_dead(self.address, incarnation.fence.space, incarnation.fence.number, None)


SINKS = [
    pytest.param((kitchen_sink, EXPECTED), id="async"),
    pytest.param((careful_kitchen, CAREFUL), id="careful", marks=pytest.mark.verify),
    pytest.param((plain_kitchen_sink, EXPECTED), marks=pytest.mark.verify, id="plain"),
]


@pytest.fixture(params=SINKS)
async def kitchen(dsn: str, tmp_path: Path, request: pytest.FixtureRequest) -> Kitchen:
    made = Kitchen(dsn, tmp_path, *request.param)
    await reset(made.address)
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "drop table if exists kitchen_bookings; create table kitchen_bookings (dish text)"
    )
    await connection.close()
    return made


async def _drive(kitchen: Kitchen, client: Client) -> object:
    """What somebody outside does: start, approve, await. Everything carries an id, so that it can be repeated."""
    run = await client.start(kitchen.sink, 7, id="soup")
    with suppress(OrquestraxError):
        await run.signal("approval", True, message_id="the approval")
    return await run.result(timeout=20)


async def _run_with_crash(kitchen: Kitchen, at: int | None) -> Crasher:
    crasher = Crasher(at)
    with faultpoint.armed(crasher):
        node, client = await kitchen.node()
        crasher.node = node
        driving = asyncio.create_task(_drive(kitchen, client))
        dying = asyncio.create_task(crasher.down.wait())
        await asyncio.wait({driving, dying}, return_when=asyncio.FIRST_COMPLETED)
    dying.cancel()
    if not crasher.down.is_set():
        assert await driving == kitchen.expected
        await node.stop(grace=0)
        return crasher
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    await kitchen.bury(node)
    await node.abandon()
    return crasher


async def _recover(kitchen: Kitchen) -> None:
    node, client = await kitchen.node()
    try:
        assert await _drive(kitchen, client) == kitchen.expected
        history = await check_instance(client, kitchen.sink, "soup")
        _check_bodies(str((await client.view("soup")).key), history)
        assert await kitchen.bookings() == kitchen.expected.get("bookings", 0), "I9: exactly once"
    finally:
        await node.stop(grace=0)


def _check_bodies(key: str, history: list[events.Event]) -> None:
    """I8: a body runs more than once only for a retry or for the one takeover."""
    attempts: dict[str, int] = {}
    for event in history:
        if event.type in (events.STEP_COMPLETED, events.STEP_FAILED):
            ended: events.StepEnded = events.decode(event)
            attempts[f"{key}:{ended.command}"] = ended.attempt
    for (idempotency_key, step), ran in bodies.items():
        if step == "once":
            assert ran <= 1, "at most once"
        elif idempotency_key in attempts:
            assert attempts[idempotency_key] <= ran <= attempts[idempotency_key] + 1


async def test_I8_without_a_fault_each_body_runs_once_per_attempt(kitchen: Kitchen) -> None:
    bodies.clear()
    await _run_with_crash(kitchen, None)
    node, client = await kitchen.node()
    history = await check_instance(client, kitchen.sink, "soup")
    key = (await client.view("soup")).key
    ended = [events.decode(e) for e in history if e.type in (events.STEP_COMPLETED, events.STEP_FAILED)]
    assert {bodies[f"{key}:{e.command}", e.step] - e.attempt for e in ended} == {0}
    await node.stop(grace=0)


@pytest.mark.parametrize("first", [1, 2], ids=["odd", "even"])  # two tests, for two processes
async def test_I1_I3_I6_I7_I9_I10_a_crash_at_every_boundary_changes_nothing(
    kitchen: Kitchen, first: int, capsys: pytest.CaptureFixture[str]
) -> None:
    boundaries = (await _run_with_crash(kitchen, None)).reached
    assert boundaries > 20
    failures: list[str] = []
    for at in range(first, boundaries + 1, 2):
        bodies.clear()
        await kitchen.empty()
        crasher = await _run_with_crash(kitchen, at)
        try:
            await _recover(kitchen)
        except Exception as error:
            failures.append(f"boundary {at} ({crasher.names[-1] if crasher.names else '?'}): {error!r}")
    with capsys.disabled():
        print(f"\ncrash boundaries of {kitchen.sink.name}: half of {boundaries}, failures: {len(failures)}")
    assert failures == []
