"""What a body knows of itself, what its log records carry, and who hears that it takes long."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest

from orquestrax.base.errors import NotInWorkflow
from orquestrax.base.logs import name_records
from orquestrax.model.options import Retry
from orquestrax.worker.info import step_info

seen = []
log = logging.getLogger("shop.payments")


async def ask() -> None:
    seen.append(step_info())


def ask_in_thread() -> None:
    seen.append(step_info())


async def ask_in_subtask() -> None:
    await asyncio.gather(ask(), asyncio.to_thread(ask_in_thread))


@pytest.fixture(autouse=True)
def _nothing_seen():
    seen.clear()


@pytest.mark.parametrize("fn", [ask, ask_in_thread])
async def test_a_body_knows_its_attempt(rig, fn):
    rig.runner.start(job := rig.job(fn, attempt=2, first=50, asked=60, timeout=30, total_timeout=300))
    outcome = await rig.outcome(job)
    (info,) = seen
    assert (info.instance_id, info.definition, info.step) == ("order-42", "fulfil", fn.__name__)
    assert (info.attempt, info.command) == (2, 1)
    assert info.idempotency_key == f"{job.key.instance}:1"
    assert info.asked_at == datetime.fromtimestamp(job.asked_at / 1e6, UTC)
    started_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=outcome.started_at)
    assert info.deadline == started_at + timedelta(seconds=30)


async def test_the_idempotency_key_is_that_of_all_attempts_and_no_other_step(rig):
    one = rig.job(ask, retry=Retry())
    two = rig.job(ask, instance=one.key.instance)
    for job in (one, one, two):
        rig.runner.start(job)
        await rig.outcome(job)
    first, second, other = (info.idempotency_key for info in seen)
    assert first == second != other


async def test_there_is_no_deadline_without_a_limit_and_the_nearer_one_counts(rig):
    await rig.run(ask)
    rig.runner.start(job := rig.job(ask, asked=5, timeout=30, total_timeout=10))
    await rig.outcome(job)
    assert seen[0].deadline is None
    assert seen[1].deadline == seen[1].asked_at + timedelta(seconds=10)


async def test_tasks_and_threads_of_a_body_know_it_too(rig):
    await rig.run(ask_in_subtask)
    assert [info.step for info in seen] == ["ask_in_subtask"] * 2


async def test_bodies_side_by_side_each_know_themselves(rig):
    barrier = asyncio.Barrier(5)

    async def both(n: int) -> int:
        before = step_info().command
        await barrier.wait()
        assert step_info().command == before
        return before

    jobs = [rig.job(both, n) for n in range(5)]
    for job in jobs:
        rig.runner.start(job)
    told = [await asyncio.wait_for(rig.ended.get(), 20) for _ in jobs]
    assert {job.key.command: outcome.result for job, outcome in told} == {n: b"%d" % n for n in range(1, 6)}


async def test_elsewhere_there_is_nothing_to_know(rig):
    await rig.run(ask)
    with pytest.raises(NotInWorkflow, match="where no step runs"):
        step_info()


class Lines(logging.Handler):
    """Formats as a user would, and keeps the records."""

    def __init__(self):
        super().__init__()
        self.lines, self.records = [], []
        self.setFormatter(logging.Formatter("%(instance)s %(step)s %(attempt)s %(message)s"))

    def emit(self, record):
        self.lines.append(self.format(record))
        self.records.append(record)


@pytest.fixture
def lines():
    handler = Lines()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)


async def say() -> None:
    log.info("charged %s", 9)


def say_in_thread() -> None:
    log.info("packed")


async def test_records_of_bodies_carry_their_names(rig, lines):
    await rig.run(say)
    await rig.run(say_in_thread, attempt=3)
    log.info("outside")
    assert lines.lines == [
        "order-42 say 1 charged 9",
        "order-42 say_in_thread 3 packed",
        "- - 0 outside",
    ]
    first = lines.records[0]
    assert (first.instance, first.step, first.attempt) == ("order-42", "say", 1)
    with pytest.raises(AttributeError, match="colour"):
        _ = first.colour


async def test_extra_of_the_same_names_is_allowed_and_wins(rig, lines):
    async def own() -> None:
        log.info("mine", extra={"step": "third", "attempt": 7})

    await rig.run(own)
    assert lines.lines == ["order-42 third 7 mine"]


async def test_naming_twice_is_naming_once(lines):
    name_records()
    factory = logging.getLogRecordFactory()
    name_records()
    assert logging.getLogRecordFactory() is factory


async def test_a_record_class_of_the_users_own_is_kept(rig, lines):
    class Own(logging.LogRecord):
        instance = step = attempt = "own"

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Own)
    try:
        name_records()
        log.info("mine", extra={"instance": "a", "step": "b", "attempt": "c"})
    finally:
        logging.setLogRecordFactory(before)
    assert type(lines.records[0]) is Own


async def test_who_runs_long_is_told_of_once(rig):
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    first, second = rig.job(wait), rig.job(wait)
    before = rig.clock.now()
    rig.runner.start(first)
    assert (await asyncio.wait_for(rig.long.get(), 20))[0] is first
    rig.runner.start(second)
    job, started_at = await asyncio.wait_for(rig.long.get(), 20)
    assert job is second
    assert before < started_at <= rig.clock.now() - 40_000
    gate.set()
    await rig.outcome(first)
    await rig.outcome(second)
    assert rig.long.empty()


async def test_who_has_ended_or_was_cancelled_is_never_called_long(rig):
    gate = threading.Event()

    def stuck() -> None:
        gate.wait()

    rig.runner.start(cancelled := rig.job(stuck))
    await rig.run(ask)
    rig.runner.cancel(cancelled.key)
    rig.runner.start(last := rig.job(stuck))
    assert (await asyncio.wait_for(rig.long.get(), 20))[0] is last
    gate.set()
    await rig.outcome(last)
    assert rig.long.empty()


async def test_a_listener_that_raises_does_not_stop_the_watch(rig):
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    gate, heard = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    def tell(attempt):
        if told:
            heard.set()
        else:
            raise ValueError("the listener's")

    rig.runner._watch._tell = tell
    jobs = [rig.job(wait), rig.job(wait)]
    rig.runner.start(jobs[0])
    while not told:
        await asyncio.sleep(0.005)
    rig.runner.start(jobs[1])
    await asyncio.wait_for(heard.wait(), 20)
    gate.set()
    for job in jobs:
        await rig.outcome(job)
