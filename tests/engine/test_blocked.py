"""Code that does not fit its history parks the instance; fitting code continues the same run."""

from __future__ import annotations

import asyncio

import pytest

import orquestrax as ox
from orquestrax.core.happenings import Happenings
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.define.workflow import Workflow
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_status

ran: list[str] = []


@ox.step
async def first() -> str:
    ran.append("first")
    return "1"


@ox.step
async def second() -> str:
    ran.append("second")
    return "2"


async def _original() -> str:
    one = await first()
    await ox.receive("go")
    return one + await second()


async def _swapped() -> str:
    two = await second()
    await ox.receive("go")
    return await first() + two


def _version(fn: object, digest: str) -> Workflow[..., str]:
    """The same definition with other code, as another deployment has it."""
    made = ox.workflow(name="deployed")(fn)  # type: ignore[call-overload]
    made.digest = digest
    return made


ORIGINAL, WRONG, FIXED = _version(_original, "a"), _version(_swapped, "b"), _version(_original, "c")


async def _blocked(bench: Bench) -> ox.Run[str]:
    """An instance that ran under one code and met another."""
    ran.clear()
    client = await bench.node(ORIGINAL, options=EngineOptions(poll=0.1, park_after=0.0))
    run = await client.start(ORIGINAL, id="d")
    await until_status(run, "waiting")
    await bench.stop()
    client = await bench.node(WRONG)
    run = await client.get("d")
    await run.signal("go")
    await until_status(run, "blocked")
    return run


async def test_I19_a_mismatch_blocks_with_both_sides_and_fitting_code_goes_on(bench: Bench) -> None:
    run = await _blocked(bench)
    status = await run.status()
    assert status.blocked is not None
    assert "first" in status.blocked["recorded"] + status.blocked["message"]
    assert "second" in status.blocked["asked"]
    assert status.blocked["file"] == __file__
    history = [event.type for event in await run.history()]
    await bench.stop()

    client = await bench.node(FIXED)
    run = await client.get("d", FIXED)
    assert await run.result(20) == "12"
    assert ran == ["first", "second"]
    assert [event.type for event in await run.history()][: len(history)] == history
    await check_instance(client, FIXED, "d")


async def test_I19_the_same_code_is_not_tried_again(bench: Bench) -> None:
    run = await _blocked(bench)
    await bench.stop()
    client = await bench.node(WRONG)
    run = await client.get("d")
    await asyncio.sleep(0.3)
    assert (await run.status()).status == "blocked"


@pytest.mark.parametrize("order", ["cancel", "terminate"])
async def test_I20_orders_end_a_blocked_instance(bench: Bench, order: str) -> None:
    run = await _blocked(bench)
    await getattr(run, order)("never mind")
    with pytest.raises((ox.WorkflowCancelled, ox.WorkflowTerminated)):
        await run.result(20)
    events = [event.type for event in await run.history()]
    assert events[-1] == {"cancel": "cancelled", "terminate": "terminated"}[order]


async def test_a_cancel_that_comes_with_fitting_code_runs_the_clean_up(bench: Bench) -> None:
    run = await _blocked(bench)
    await bench.stop()
    outsider = await bench.node()
    await (await outsider.get("d")).cancel()
    client = await bench.node(FIXED)
    with pytest.raises(ox.WorkflowCancelled):
        await (await client.get(run.id)).result(20)
    assert "cancel_requested" in [event.type for event in await (await client.get("d")).history()]


async def test_a_fault_of_the_engine_in_one_turn_blocks_that_instance_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await bench.node(ORIGINAL)
    bad, good = await client.start(ORIGINAL, id="bad"), await client.start(ORIGINAL, id="good")
    await until_status(bad, "waiting")
    await until_status(good, "waiting")
    assert bench.nodes[0].incarnation is not None
    orchestrator = bench.nodes[0].incarnation.orchestrator

    def broken(self: object, *_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    await asyncio.sleep(0.1)
    execution = orchestrator.memory.executions.get(bad.key)
    if execution is None:
        await bad.signal("other")
        await until_status(bad, "waiting")
    with monkeypatch.context() as patch:
        original = Happenings.read

        def read(self: object, execution: object, *rest: object) -> None:
            if execution.id == "bad":  # type: ignore[attr-defined]
                broken(self)
            original(self, execution, *rest)  # type: ignore[arg-type]

        patch.setattr(Happenings, "read", read)
        orchestrator.turns.park_after = 10**12
        await bad.signal("go")
        await good.signal("go")
        assert await good.result(20) == "12"
        await until_status(bad, "blocked")
    assert "a fault of ours" in (await bad.status()).blocked["message"]  # type: ignore[index]


async def test_what_was_blocked_just_as_fitting_code_registered_is_woken_a_little_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await _blocked(bench)

    async def too_early(_self: object, _digests: object) -> None:
        """The other node's block is not committed yet."""

    with monkeypatch.context() as patch:
        patch.setattr(NodeStore, "wake_blocked", too_early)
        await bench.node(FIXED)
    assert (await run.status()).status == "blocked"
    assert bench.nodes[-1].incarnation is not None
    bench.nodes[-1].incarnation.claimer.reconcile_soon()
    assert await run.result(15) == "12", "the node with the wrong code is still there and leaves it alone"
