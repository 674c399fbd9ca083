"""Signals: live, and rebuilt at every event."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any

import pytest
from tests.unit.replay.kit import step

import orquestrax.replay.context as ox
from orquestrax.base.errors import DefinitionError, PayloadError


def test_receive_waits_and_decodes(host: Any) -> None:
    async def main() -> Any:
        return [await ox.receive("go", int), await ox.receive("go"), await ox.receive("go", type(None))]

    run = host(main)
    assert run.asked == ["receive go"]
    run.signal("other", 9)
    run.signal("go", 1)
    run.signal("go", {"free": ["form"]})
    run.signal("go")
    assert run.result == [1, {"free": ["form"]}, None]
    assert [(u.kind, u.name, u.message, bytes(u.payload or b"")) for u in run.replay.unhandled()] == [
        ("signal", "other", "m1", b"9")
    ]


def test_signals_are_kept_in_order_until_received(host: Any) -> None:
    async def main() -> Any:
        await step("a")
        return [await ox.receive("go", int) for _ in range(3)]

    run = host(main)
    for n in range(3):
        run.signal("go", n)
    assert [bytes(u.payload or b"") for u in run.replay.unhandled()] == [b"0", b"1", b"2"]
    run.complete("a")
    assert run.result == [0, 1, 2]
    assert run.replay.issued == 5  # received at once, and counted


def test_receivers_get_signals_in_the_order_of_waiting(host: Any) -> None:
    async def main() -> Any:
        return await asyncio.gather(*[ox.receive("go", int) for _ in range(3)])

    run = host(main)
    for n in range(3):
        run.signal("go", n)
    assert run.result == [0, 1, 2]


def test_a_cancelled_receiver_loses_no_signal(host: Any) -> None:
    async def main() -> Any:
        first = asyncio.create_task(ox.receive("go", int))
        second = asyncio.create_task(ox.receive("go", int))
        await asyncio.sleep(1)
        first.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ox.receive("never"), 1)
        return await second

    run = host(main)
    run.fire()
    run.fire()
    run.signal("go", 1)
    assert run.result == 1


def test_receive_too_late_leaves_the_signal(host: Any) -> None:
    async def main() -> Any:
        try:
            async with asyncio.timeout(3):
                await ox.receive("go", int)
        except TimeoutError:
            await step("a")
            return await ox.receive("go", int)

    run = host(main)
    turn = run.fire()
    assert [c.kind for c in turn.abandoned] == ["receive"]
    run.signal("go", 5)
    run.complete("a")
    assert run.result == 5


def test_a_payload_that_does_not_fit_is_consumed(host: Any) -> None:
    async def main() -> Any:
        try:
            await ox.receive("go", int)
        except ValueError as error:
            return ["ValueError", str(error)]
        except Exception as error:
            return [type(error).__name__, str(error), await ox.receive("go", int)]

    run = host(main)
    run.signal("go", "text")
    run.signal("go", 2)
    name, message, second = run.result
    assert name == "PayloadError"
    assert "signal 'go'" in message
    assert second == 2


def test_each_error_names_its_own_signal(host: Any) -> None:
    async def main() -> Any:
        words = []
        for name in ("one", "two", "one"):
            try:
                await ox.receive(name, int)
            except PayloadError as error:
                words.append(str(error).split(":")[0])
        return words

    run = host(main)
    for name in ("one", "two", "one"):
        run.signal(name, "text")
    assert run.result == ["signal 'one'", "signal 'two'", "signal 'one'"]


def test_types_without_a_hash_and_types_that_cannot_be_stored(host: Any) -> None:
    async def main() -> Any:
        numbers = await ox.receive("go", Annotated[int, ["not hashable"]])  # type: ignore[arg-type]
        try:
            await ox.receive("go", object())  # type: ignore[arg-type]
        except DefinitionError as error:
            return [numbers, str(error).startswith("signal 'go'")]

    run = host(main)
    run.signal("go", 5)
    run.signal("go", 6)
    assert run.result == [5, True]


@pytest.mark.parametrize("name", ["", None, 5])
def test_receive_needs_a_name(host: Any, name: Any) -> None:
    async def main() -> None:
        await ox.receive(name)

    assert host(main).error[0] == "InvalidInput"
