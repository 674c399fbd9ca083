"""Shipping log records: what waits, what is tried again, and what is given up, seen from the writer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID

import pytest

from orquestrax.base.clock import DatabaseClock
from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.base.logs import Names, origin
from orquestrax.core.store.logs import LogLine
from orquestrax.node.logcapture import LogCapture
from orquestrax.node.logshipper import LogShipper

log = logging.getLogger("shipped")
KEY = UUID(int=7)


class Code:
    """Whoever logs."""

    names = Names("order-1", "charge", 2)


class Writer:
    """Keeps what it is handed; `answers` says how, one batch after the other, the last one for ever."""

    def __init__(self) -> None:
        self.batches: list[list[LogLine]] = []
        self.answers: list[dict[UUID, bool] | Exception] = [{KEY: False}]
        self.wrote = asyncio.Event()
        self.closed = 0

    async def write(self, lines: Sequence[LogLine]) -> dict[UUID, bool]:
        self.batches.append(list(lines))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.wrote.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1

    async def batch(self, number: int) -> list[str]:
        """The messages of a batch, once it has come."""
        async with asyncio.timeout(20):
            while len(self.batches) < number:
                self.wrote.clear()
                await self.wrote.wait()
        return [line.message for line in self.batches[number - 1]]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pauses as short as a test wants them."""
    module = __import__(LogShipper.__module__, fromlist=["*"])

    def shorten(**pauses: float) -> None:
        for name, seconds in pauses.items():
            monkeypatch.setattr(module, name, seconds)

    shorten(GATHER=0.001)
    return shorten


@pytest.fixture
async def writer(quick: Callable[..., None]) -> AsyncIterator[Writer]:
    made = Writer()
    clock = DatabaseClock()
    clock.observe(1_000_000_000)
    shipper = LogShipper(made, clock, owner=lambda _source: KEY, on_written=lambda _key: None)  # type: ignore[arg-type]
    shipper.start()
    log.setLevel(logging.INFO)
    token = origin.set(Code())
    yield made
    origin.reset(token)
    log.setLevel(logging.NOTSET)
    await shipper.stop()


async def test_records_that_come_together_are_one_batch_with_their_names(writer: Writer) -> None:
    log.info("one")
    log.warning("two")
    assert await writer.batch(1) == ["one", "two"]
    first = writer.batches[0][0]
    assert (first.instance, first.step, first.attempt, first.level, first.logger) == (
        KEY, "charge", 2, 20, "shipped"
    )  # fmt: skip
    assert 999_000_000 < first.at <= 1_100_000_000
    assert first.size == len("one") + len("shipped") + len("charge")


async def test_records_of_a_start_that_is_not_committed_yet_are_kept_for_a_while(
    writer: Writer, quick: Callable[..., None]
) -> None:
    writer.answers = [{}, {}, {KEY: False}]
    log.info("early")
    assert [await writer.batch(number) for number in (1, 2, 3)] == [["early"]] * 3
    log.info("later")
    assert await writer.batch(4) == ["later"]
    quick(PATIENCE=0.0)
    writer.answers = [{}]
    log.info("never committed")
    assert await writer.batch(5) == ["never committed"]
    writer.answers = [{KEY: False}]
    log.info("other")
    assert await writer.batch(6) == ["other"]


async def test_a_batch_that_fails_is_tried_again_before_any_other_and_given_up_at_last(
    writer: Writer, quick: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    quick(AGAIN=0.2)
    trouble = DatabaseUnreachable("nobody answers")
    writer.answers = [trouble, trouble, {KEY: False}]
    loop = asyncio.get_running_loop()
    log.info("one")
    assert await writer.batch(1) == ["one"]
    log.info("two")
    began = loop.time()
    assert await writer.batch(2) == ["one"]
    assert loop.time() - began > 0.1  # not at once
    assert await writer.batch(3) == ["one"]
    assert await writer.batch(4) == ["two"]
    quick(TRIES=2)
    writer.answers = [trouble, trouble, {KEY: False}]
    log.info("lost")
    assert [await writer.batch(number) for number in (5, 6)] == [["lost"]] * 2
    log.info("after")
    assert await writer.batch(7) == ["after"]
    told = [record.message for record in caplog.records if record.name.endswith("logshipper")]
    assert told.count("log records wait to be written: nobody answers") == 2
    assert told[-1] == "log records are lost, 1 of them: nobody answers"


async def test_after_a_silence_the_connection_is_let_go(writer: Writer, quick: Callable[..., None]) -> None:
    quick(IDLE=0.01)
    log.info("one")
    await writer.batch(1)
    async with asyncio.timeout(20):
        while not writer.closed:
            await asyncio.sleep(0.005)
    log.info("two")
    assert await writer.batch(2) == ["two"]


def capture(most: int = 3) -> tuple[LogCapture, list[int]]:
    woken: list[int] = []
    return LogCapture(lambda _source: KEY, lambda: woken.append(1), most=most), woken


def record(message: str, level: int = 20) -> logging.LogRecord:
    return logging.LogRecord("shipped", level, "file.py", 1, message, None, None)


def test_what_is_too_much_is_counted_behind_what_waits() -> None:
    made, woken = capture()
    token = origin.set(Code())
    try:
        for number in range(5):
            made.hear(record(str(number)))
        made.hear(record("unimportant", 10))
    finally:
        origin.reset(token)
    made.hear(record("of nobody"))
    assert len(woken) == 1
    first, none = made.take(2)
    assert ([one.message for one in first], none) == (["0", "1"], {})
    second, dropped = made.take(2)
    assert ([one.message for one in second], dropped) == (["2"], {KEY: 2})
    assert made.take(2) == ([], {})


def test_full_instances_are_refused_at_the_door() -> None:
    made, _ = capture()
    made.refuse({KEY})
    token = origin.set(Code())
    made.hear(record("more"))
    origin.reset(token)
    assert made.take(9) == ([], {})


def test_memory_is_bounded_by_characters_too() -> None:
    made, _ = capture(most=10_000)
    token = origin.set(Code())
    for _ in range(600):
        made.hear(record("x" * 16_000))
    origin.reset(token)
    taken, dropped = made.take(10_000)
    assert (len(taken), dropped) == (500, {KEY: 100})
