"""Exceptions as JSON: complete enough to understand, bounded, and never a second failure."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

import orquestrax.base
from orquestrax.base.codec import MAX_PAYLOAD, encode_error
from orquestrax.base.errors import StepFailed, WorkflowFailed

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(orquestrax.base.__file__).parent.parent


class DeclinedError(Exception):
    """An exception with arguments."""


def described(error: BaseException, **options: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(encode_error(error, **options))
    return record


def raised(fn: Callable[[], Any]) -> BaseException:
    try:
        fn()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def boom() -> None:
    raise DeclinedError("no funds", 42)


ENGINE = """
def call(fn):
    return fn()

def run(fn):
    try:
        call(fn)
    except BaseException as error:
        return error

def bug():
    return 1 / 0
"""


def engine() -> dict[str, Any]:
    """Functions that lie where the engine's own code does."""
    names: dict[str, Any] = {}
    exec(compile(ENGINE, str(PACKAGE / "worker" / "somewhere.py"), "exec"), names)
    return names


def test_type_message_and_traceback_are_told() -> None:
    record = described(raised(boom))

    assert set(record) == {"type", "message", "traceback"}
    assert (record["type"], record["message"]) == ("DeclinedError", "('no funds', 42)")
    assert record["traceback"].startswith("Traceback (most recent call last):\n")
    assert "in boom\n    raise DeclinedError" in record["traceback"]
    assert record["traceback"].rstrip().endswith("DeclinedError: ('no funds', 42)")


def test_step_and_arguments_are_told_on_request() -> None:
    record = described(raised(boom), step="charge", with_args=True)

    assert (record["step"], record["args"]) == ("charge", ["no funds", 42])


def test_arguments_that_json_cannot_hold_are_left_out() -> None:
    for argument in (object(), float("nan"), "\0", "x" * 1_000_001, "x" * 3_000_000):
        assert "args" not in described(DeclinedError(argument), with_args=True)


def test_the_engines_frames_are_left_out_at_the_top_only() -> None:
    call, run, bug = (engine()[name] for name in ("call", "run", "bug"))

    def user() -> None:
        call(boom)

    trace = described(run(user))["traceback"]
    assert trace.splitlines()[1].endswith("in user")
    assert trace.count("somewhere.py") == 1
    assert "in bug" in described(run(lambda: call(bug)))["traceback"]
    assert "in bug" in described(run(bug))["traceback"], "an error of the engine's own keeps its frames"


async def test_the_frames_of_asyncio_and_threads_are_left_out() -> None:
    async def fails() -> None:
        await asyncio.wait_for(deeper(), 60)

    async def deeper() -> None:
        boom()

    outcomes = await asyncio.gather(fails(), asyncio.to_thread(boom), return_exceptions=True)

    tops = [
        described(error)["traceback"].splitlines()[1] for error in outcomes if isinstance(error, Exception)
    ]
    assert [top.rpartition(" in ")[2] for top in tops] == ["fails", "boom"]


def test_causes_are_told_as_python_shows_them() -> None:
    def from_another() -> None:
        try:
            boom()
        except DeclinedError as error:
            raise KeyError("k") from error

    def while_handling() -> None:
        try:
            boom()
        except DeclinedError:
            raise KeyError("k")  # noqa: B904 - that is the case in question

    def from_none() -> None:
        try:
            boom()
        except DeclinedError:
            raise KeyError("k") from None

    for fn in (from_another, while_handling):
        record = described(raised(fn))
        assert (record["type"], record["message"]) == ("KeyError", "'k'")
        assert record["cause"]["type"] == "DeclinedError"
        assert "in boom" in record["cause"]["traceback"]
        assert "in boom" not in record["traceback"]
    assert "cause" not in described(raised(from_none))


def test_a_failure_from_elsewhere_keeps_what_is_known_of_it() -> None:
    root = StepFailed("refused", type="OSError", traceback="root's traceback")
    failed = StepFailed(
        "no funds", type="DeclinedError", step="charge", traceback="its traceback", cause=root
    )

    record = described(failed)

    assert (record["type"], record["message"]) == ("StepFailed", "DeclinedError: no funds")
    assert record["cause"] == {
        "type": "DeclinedError",
        "message": "no funds",
        "traceback": "its traceback",
        "cause": {"type": "OSError", "message": "refused", "traceback": "root's traceback"},
    }
    child = described(WorkflowFailed("gone", type="KeyError", traceback="t"))
    assert child["cause"] == {"type": "KeyError", "message": "gone", "traceback": "t"}


def test_chains_are_told_ten_deep() -> None:
    error: Exception = ValueError("0")
    for number in range(1, 30):
        outer = ValueError(str(number))
        outer.__cause__ = error
        error = outer
    deep: StepFailed | None = None
    for number in range(30):
        deep = StepFailed(str(number), type="E", cause=deep)
    assert deep is not None

    for record in (described(error), described(deep)):
        messages = []
        inner: dict[str, Any] | None = record
        while inner:
            messages.append(inner["message"])
            inner = inner.get("cause")
        assert len(messages) == 11


def test_a_chain_that_runs_in_a_circle_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one

    assert described(one)["cause"]["message"] == "two"
    assert "cause" not in described(one)["cause"]


def test_groups_show_their_members() -> None:
    group = ExceptionGroup("both", [raised(boom), ValueError("v")])  # type: ignore[list-item]

    record = described(group)

    assert record["message"] == "both (2 sub-exceptions)"
    assert "in boom" in record["traceback"]
    assert "ValueError: v" in record["traceback"]


def test_long_text_is_cut_in_the_middle() -> None:
    message = "start " + "ü" * 50_000 + " end"
    error = raised(lambda: (_ for _ in ()).throw(DeclinedError(message)))
    error.add_note("note " * 20_000 + "last")

    record = described(error)

    assert len(record["message"].encode()) <= 10_000
    assert record["message"].startswith("start ü")
    assert record["message"].endswith("ü end")
    assert " bytes left out … " in record["message"]
    assert 49_000 < len(record["traceback"].encode()) <= 50_000
    assert record["traceback"].startswith("Traceback")
    assert record["traceback"].endswith("last\n")


def test_what_postgresql_does_not_take_is_written_out() -> None:
    record = described(DeclinedError("a\0b\udcffc"))

    assert record["message"] == "a\\x00b\\udcffc"
    assert "a\\x00b\\udcffc" in record["traceback"]


def test_the_whole_is_under_the_limit_of_payloads() -> None:
    error: Exception = ValueError("\x01" * 100_000)
    for _ in range(12):
        outer = ValueError("\x01" * 100_000)
        outer.__cause__ = error
        outer.add_note("\x01" * 100_000)
        error = outer

    raw = encode_error(error, with_args=True)

    assert len(raw) <= MAX_PAYLOAD
    assert json.loads(raw)["cause"]["type"] == "ValueError"


def test_exceptions_that_fail_themselves_are_told_all_the_same() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    class Hidden(Exception):
        def __getattribute__(self, name: str) -> Any:
            if name in ("__notes__", "__cause__", "args"):
                raise RuntimeError(name)
            return super().__getattribute__(name)

    assert described(Broken())["message"] == "<its text cannot be had: __str__ failed>"
    assert described(Hidden("x"), with_args=True)["type"] == "Hidden"


@settings(deadline=None)
@given(st.text(), st.lists(st.text() | st.integers() | st.none() | st.binary()), st.text())
def test_any_text_makes_json_that_can_be_stored(message: str, args: list[Any], note: str) -> None:
    error = DeclinedError(message, *args)
    error.add_note(note)

    raw = encode_error(error, step=message, with_args=True)

    assert b"\0" not in raw
    stored = json.loads(raw)
    texts = [stored[name] for name in ("type", "message", "traceback", "step")]
    assert not any("\0" in text for text in texts)
    assert "".join(texts).encode().decode() == "".join(texts)
