"""What bodies in child processes return and raise is what the workflow sees, as from a thread."""

from __future__ import annotations

import logging
import os
import time

import pytest

from orquestrax.base import failures
from orquestrax.base.errors import StepFailed
from orquestrax.base.logs import origin
from orquestrax.define.raised import rebuild
from orquestrax.model.options import Retry
from tests.processes import bodies
from tests.processes.conftest import failed


async def test_a_child_is_a_process_of_its_own_and_is_used_again(rig):
    first = await rig.run(bodies.whoami)
    assert first[0] != os.getpid() == first[1]
    assert await rig.run(bodies.whoami) == first, "the same process, its modules imported once"


async def test_as_many_children_as_slots(rig, tmp_path):
    jobs = [rig.start(bodies.meet, str(tmp_path), *names) for names in (("a", "b"), ("b", "a"))]
    assert not rig.runner.has_slot("process")
    ended = [await rig.ended.get() for _ in jobs]
    assert len({bodies.meet.decode_result(outcome.result) for _, outcome in ended}) == 2
    assert rig.runner.free("process") == 2


@pytest.mark.parametrize(
    "value", [None, "ü\n", [1, {"a": [2.5]}], "x" * 1_900_000], ids=["none", "text", "nested", "2 MB"]
)
async def test_values_travel_as_they_are_journaled(rig, value):
    assert await rig.run(bodies.echo, value) == value


async def test_a_step_kept_in_a_class_is_found(rig):
    assert await rig.run(bodies.Shelf.kept) in {child.pid for child in rig.children}


async def test_an_exception_is_stored_as_itself(rig):
    outcome = await rig.outcome(rig.start(bodies.fail, "declined"))
    error = rebuild(failures.decode(outcome.error), [bodies.Declined])
    assert type(error) is bodies.Declined
    assert error.args == ("no money", 7)
    assert "in fail" in failed(outcome).traceback
    assert "child.py" not in failed(outcome).traceback, "only the user's own frames"


async def test_causes_come_along(rig):
    failure = await rig.run(bodies.fail, "chain")
    assert (failure.type, failure.cause.type) == ("Declined", "ValueError")


@pytest.mark.parametrize(
    ("how", "type_", "text"),
    [
        ("exit", "SystemExit", "3"),
        ("unwritable", "Unwritable", "<its text cannot be had"),
        ("stop", "StopIteration", ""),
        ("object", "PayloadError", "object"),
    ],
)
async def test_what_cannot_be_handed_over_fails_the_attempt_and_not_the_child(rig, how, type_, text):
    before = await rig.run(bodies.whoami)
    failure = await rig.run(bodies.fail, how)
    assert failure.type == type_
    assert text in failure.message
    assert await rig.run(bodies.whoami) == before


async def test_retries_follow_the_classes_of_the_child(rig):
    retry = Retry(attempts=3, never=(bodies.Declined,))
    assert (await rig.outcome(rig.start(bodies.fail, "declined", retry=retry))).delay is None
    assert (
        await rig.outcome(rig.start(bodies.fail, "declined", retry=Retry(never=(Exception,))))
    ).delay is None
    assert (await rig.outcome(rig.start(bodies.fail, "declined", retry=Retry(never=(OSError,))))).delay > 0
    assert (await rig.outcome(rig.start(bodies.fail, "later", retry=retry))).delay == 12.5


async def test_the_body_knows_its_attempt(rig):
    job = rig.start(bodies.speaks, "x", attempt=3, timeout=60)
    outcome = await rig.outcome(job)
    seen = bodies.speaks.decode_result(outcome.result)
    assert (seen["instance"], seen["attempt"]) == ("order-42", 3)
    assert seen["key"] == f"{job.key.instance}:{job.key.command}"
    assert seen["is"] != "None"


async def test_log_records_reach_the_nodes_handlers_with_their_names(rig, caplog):
    with caplog.at_level(logging.INFO):
        await rig.run(bodies.speaks, "word", attempt=2)
    records = {record.getMessage(): record for record in caplog.records if record.name == "tests.bodies"}
    assert list(records) == ["info word", "does not fit %s %s ('word',)", "no number"], (
        "the node's levels hold"
    )
    record = records["info word"]
    assert (record.instance, record.step, record.attempt) == ("order-42", "speaks", 2)
    assert (record.levelname, record.funcName, record.process) != ("", "", os.getpid())
    assert abs(record.created - time.time()) < 60
    assert records["does not fit %s %s ('word',)"].order == 7
    assert "ValueError: invalid literal" in logging.Formatter().format(records["no number"])


async def test_handlers_of_the_node_see_whose_record_it_is(rig):
    sources = []
    handler = logging.Handler()
    handler.emit = lambda _record: sources.append(origin.get())
    logging.getLogger("tests.bodies").addHandler(handler)
    try:
        job = rig.start(bodies.speaks, "word")
        await rig.outcome(job)
    finally:
        logging.getLogger("tests.bodies").removeHandler(handler)
    assert sources
    assert all(source.job is job for source in sources)


async def test_what_a_body_prints_comes_out_of_the_node(rig, capfd):
    await rig.run(bodies.speaks, "word")
    out, err = capfd.readouterr()
    assert "out: word\n" in out
    assert "err: word\n" in err


async def test_a_fork_in_a_body_does_not_speak_for_it(rig, caplog, capfd):
    assert await rig.run(bodies.forks) == 0
    assert await rig.run(bodies.echo, 1) == 1
    assert "from the fork" not in caplog.text
    assert "from the fork" in capfd.readouterr().err


async def test_resources_are_made_once_per_child_and_closed_at_its_end(make_rig, tmp_path, monkeypatch):
    monkeypatch.setenv("LEDGER", str(tmp_path / "ledger"))
    rig = make_rig(slots={"process": 1})
    await rig.run(bodies.books, "a")
    book = await rig.run(bodies.books, "b")
    child = (await rig.run(bodies.whoami))[0]
    assert book == [f"opened in {child}", "a", "b"]
    await rig.runner.stop(0)
    assert (tmp_path / "ledger").read_text() == f"closed in {child}"


async def test_a_child_has_a_session_and_a_group_of_its_own(rig):
    seen = await rig.run(bodies.environment)
    assert seen["group"]
    assert seen["session"]
    assert seen["main thread"]
    assert seen["stdin"] == "/dev/null"
    assert seen["command"] == ["-P", "-m", "orquestrax.worker.processes.child"]


async def test_ctrl_c_is_not_for_children(rig):
    assert await rig.run(bodies.interrupted) == "still here"


async def test_a_step_that_no_child_can_find_fails_with_a_sentence(rig):
    lost = bodies.whoami.options()
    lost.declared = lost
    lost.name = "moved"
    failure = await rig.run(lost)
    assert failure.type == "DefinitionError"
    assert "finds no step 'moved'" in failure.message
    assert isinstance(rebuild(failure, []), StepFailed)
