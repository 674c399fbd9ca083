"""How plain `def` code fails and is cancelled: at the call that waits."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.replay.kit import Host, step
from tests.unit.replay.plainly import plain

from orquestrax.replay.bridge import await_, to_greenlet

Hosts = Callable[..., Host]


def test_errors_are_raised_at_the_call(host: Hosts) -> None:
    def main() -> Any:
        try:
            await_(step("a"))
        except Exception as error:
            frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            assert (frames[0], frames[-1]) == ("main", "_step")
            return str(error)

    workflow = host(plain(main))
    workflow.fail("a", "declined")
    assert workflow.result == "declined"


def test_errors_have_the_context_that_they_have_in_an_async_def(host: Hosts) -> None:
    def chain(error: BaseException | None) -> list[str]:
        return [] if error is None else [str(error), *chain(error.__cause__ or error.__context__)]

    def main() -> Any:
        try:
            await_(step("a"))
        except Exception:
            try:
                await_(step("b"))
            except Exception as error:
                within = chain(error)
        try:
            raise ValueError("later")  # noqa: TRY301
        except ValueError as error:
            return [within, chain(error)]

    async def same() -> Any:
        try:
            await step("a")
        except Exception:
            try:
                await step("b")
            except Exception as error:
                within = chain(error)
        try:
            raise ValueError("later")  # noqa: TRY301
        except ValueError as error:
            return [within, chain(error)]

    results = []
    for workflow in (host(plain(main)), host(same)):
        workflow.fail("a", "first")
        workflow.fail("b", "second")
        results.append(workflow.result)
    assert results == [[["second", "first"], ["later"]]] * 2


def test_failures_of_the_function(host: Hosts) -> None:
    def boom() -> None:
        await_(step("a"))
        raise ValueError("no")

    def stop() -> None:
        raise StopIteration(3)

    workflow = host(plain(boom))
    workflow.complete("a")
    assert workflow.error == ["ValueError", "no"]
    assert host(plain(stop)).error == ["RuntimeError", "coroutine raised StopIteration"]
    assert host(plain(lambda: sys.exit(1))).error == ["SystemExit", "1"]


def test_a_generator_s_exit_is_an_error_like_others(host: Hosts) -> None:
    """Only what closes the code is a GreenletExit."""

    async def helper() -> None:
        raise GeneratorExit

    def main() -> str:
        with pytest.raises(GeneratorExit):
            await_(helper())
        return "went on"

    assert host(plain(main)).result == "went on"


def test_a_coroutine_driven_by_hand(host: Hosts) -> None:
    def main() -> Any:
        with pytest.raises(StopIteration) as ended:
            to_greenlet(lambda: 3).send(None)
        return [ended.value.value, await_(step("a"))]

    workflow = host(plain(main))
    workflow.complete("a", 4)
    assert workflow.result == [3, 4]


def test_a_cancel_arrives_where_it_waits(host: Hosts) -> None:
    def main() -> None:
        try:
            await_(asyncio.gather(step("a"), step("b")))
        except asyncio.CancelledError:
            await_(step("undo"))
            raise

    workflow = host(plain(main))
    workflow.cancel()
    assert workflow.asked == ["step undo"]
    workflow.complete("undo")
    assert workflow.finish.status == "cancelled"


def test_a_cancel_of_a_helper_s_task(host: Hosts) -> None:
    def helper() -> None:
        try:
            await_(asyncio.sleep(9))
        finally:
            await_(step("undo"))

    def main() -> str:
        task = asyncio.create_task(to_greenlet(helper))
        await_(asyncio.sleep(1))
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await_(task)
        return "went on"

    workflow = host(plain(main))
    workflow.fire()
    workflow.complete("undo")
    assert workflow.result == "went on"
