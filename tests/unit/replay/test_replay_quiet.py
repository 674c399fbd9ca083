"""Logs of workflow code: named, once, and silent while it replays."""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from typing import Any

import pytest
from tests.unit.replay.kit import Host, rebuild, step

from orquestrax.base.logs import name_records

log = logging.getLogger("shop.orders")


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


async def talking() -> str:
    log.debug("before")
    await step("a")
    log.info("between")
    await step("b")
    log.error("after")
    return "done"


def test_each_record_comes_once(caplog: pytest.LogCaptureFixture) -> None:
    run = Host(talking, evict=True)
    run.complete()
    assert caplog.messages == ["before", "between"]
    rebuilt = rebuild(talking, run.history)
    assert caplog.messages == ["before", "between"]
    rebuilt.close()
    run.replay.close()


def test_live_code_speaks(caplog: pytest.LogCaptureFixture) -> None:
    run = Host(talking)
    run.complete()
    run.complete()
    assert caplog.messages == ["before", "between", "after"]


def test_records_carry_the_instance(caplog: pytest.LogCaptureFixture) -> None:
    name_records()
    Host(talking, name="order-77").replay.close()
    [record] = caplog.records
    record.getMessage()
    assert record.__dict__["instance"] == "order-77"


def test_code_beside_a_replay_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    """The silence is that of the code of this instance, not of what runs around it."""
    replay = rebuild(talking, [])
    replay.replaying = True
    log.info("from the host")
    replay.close()
    log.info("from the host, later")
    assert caplog.messages == ["from the host", "from the host, later"]


async def dropping() -> str:
    """Leaves errors that nobody looks at."""

    async def failing() -> None:
        await step("failing")
        raise ValueError("dropped")

    asyncio.create_task(failing())  # noqa: RUF006
    asyncio.get_running_loop().create_future().set_exception(ValueError("set"))
    asyncio.get_running_loop().call_soon(_raise)
    await step("a")
    return "done"


def _raise() -> None:
    raise ValueError("from a callback")


def _failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    gc.collect()
    return sorted(str(record.exc_info[1]) for record in caplog.records if record.exc_info)


def test_errors_that_nobody_saw_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    run = Host(dropping)
    run.complete("failing")
    run.complete("a")
    assert run.result == "done"
    assert _failures(caplog) == ["dropped", "from a callback", "set"]
    caplog.clear()
    rebuilt = rebuild(dropping, run.history)
    assert rebuilt.finished
    rebuilt.close()
    assert _failures(caplog) == []


def test_errors_of_the_replayed_part_stay_silent_when_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    run = Host(dropping)
    run.complete("failing")
    run.replay.close()
    _failures(caplog)
    caplog.clear()
    successor = Host(dropping)
    successor.replay.close()
    _failures(caplog)
    caplog.clear()
    successor.replay, successor.history, successor.now = rebuild(dropping, run.history), run.history, run.now
    successor.complete("a")
    assert successor.result == "done"
    assert _failures(caplog) == []


def test_a_future_that_failed_in_the_replayed_part_stays_silent(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(ValueError("kept"))
        await step("a")
        del future
        await step("b")

    live = Host(main)
    live.complete("a")
    assert _failures(caplog) == ["kept"]
    rebuilt = Host(main, evict=True)
    rebuilt.replay.close()
    _failures(caplog)
    caplog.clear()
    rebuilt.replay = rebuild(main, [])
    rebuilt.complete("a")
    assert _failures(caplog) == []


def test_a_failed_step_that_nobody_awaits_is_silent_in_replay(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> Any:
        asyncio.create_task(step("a"))  # noqa: RUF006
        return await step("b")

    run = Host(main)
    run.fail("a")
    run.complete("b")
    assert _failures(caplog) == ["no"]
    caplog.clear()
    rebuild(main, run.history).close()
    assert _failures(caplog) == []


def test_a_forgotten_coroutine_is_reported_once() -> None:
    async def main() -> None:
        asyncio.sleep(1)
        await step("a")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = Host(main, evict=True)
        run.complete("a")
        rebuild(main, run.history).close()
    assert [str(each.message) for each in caught] == ["coroutine 'sleep' was never awaited"]


def test_prints_and_warnings_come_once(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        print("before")
        await step("a")
        warnings.warn("between", stacklevel=1)
        await step("b")
        print("after")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = Host(main, evict=True)
        run.complete()
        run.complete()
        rebuild(main, run.history).close()
    assert capsys.readouterr().out == "before\nafter\n"
    assert [str(each.message) for each in caught] == ["between"]
