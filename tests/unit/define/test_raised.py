"""Exceptions of `raises=` come back as themselves, others as StepFailed; nothing stored crashes this."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestrax import StepFailed, StepTimedOut, step, workflow
from orquestrax.base import failures
from orquestrax.base.failures import Failure
from orquestrax.define.raised import rebuild


class PaymentError(Exception):
    pass


class Declined(PaymentError):
    def __init__(self, reason, code=0):
        super().__init__(reason, code)
        self.reason, self.code = reason, code


class Picky(PaymentError):
    """Its arguments are not what it was made of."""

    def __init__(self, code, *, text):
        super().__init__(f"{text} ({code})")


def stored(error, raises, **changes):
    """The error as it comes back; `changes` are made to what was stored."""
    try:
        raise error  # noqa: TRY301 - for a traceback
    except BaseException as raised:
        failure = failures.decode(failures.encode(raised, step="charge"))
    fields = {name: getattr(failure, name) for name in failure.__struct_fields__}
    return rebuild(Failure(**(fields | changes)), raises)


def test_a_listed_one_comes_as_itself_with_its_arguments():
    error = stored(Declined("no funds", 7), (Declined,))
    assert type(error) is Declined
    assert (error.args, error.reason, error.code) == (("no funds", 7), "no funds", 7)


def test_its_origin_shows_in_the_traceback():
    text = "".join(traceback.format_exception(stored(Declined("x"), (Declined,))))
    assert "Raised in step charge:" in text
    assert "in stored\n" in text


def test_its_cause_comes_along():
    error = Declined("x")
    error.__cause__ = KeyError("root")
    cause = stored(error, (Declined,)).__cause__
    assert isinstance(cause, StepFailed)
    assert (cause.type, cause.message) == ("KeyError", "'root'")


def test_others_come_as_step_failed_with_all_that_is_known():
    inner = ValueError("inner")
    inner.__cause__ = OSError(2, "missing")
    error = stored(inner, (Declined,))
    assert type(error) is StepFailed
    assert str(error) == "ValueError: inner"
    assert (error.type, error.message, error.step) == ("ValueError", "inner", "charge")
    assert "in stored\n" in error.traceback
    assert error.__cause__ is error.cause
    assert error.cause.type == "FileNotFoundError"


def test_a_subclass_of_a_listed_one_comes_as_itself():
    assert type(stored(Declined("x"), (PaymentError,))) is Declined
    assert type(stored(Declined("x"), (Declined, PaymentError))) is Declined
    assert type(stored(Declined("x"), (PaymentError, Declined))) is Declined


def test_a_subclass_that_this_process_does_not_know_comes_as_the_listed_one():
    error = stored(
        Declined("x"), (PaymentError,), type="Unknown", bases=["Declined", "PaymentError", "Exception"]
    )
    assert type(error) is PaymentError
    assert error.args == ("x", 0)


def test_a_subclass_that_cannot_be_made_comes_as_the_listed_one():
    error = stored(Picky(3, text="no"), (PaymentError,))
    assert type(error) is PaymentError
    assert error.args == ("no (3)",)


def test_a_listed_one_that_cannot_be_made_comes_as_step_failed_and_says_why():
    error = stored(Picky(3, text="no"), (Picky,))
    assert type(error) is StepFailed
    assert (error.type, error.message) == ("Picky", "no (3)")
    assert "raises= names Picky, but it cannot be made again: TypeError" in error.__notes__[0]


def test_one_whose_arguments_json_cannot_hold_comes_as_step_failed_and_says_why():
    error = stored(Declined(object()), (Declined,))
    assert type(error) is StepFailed
    assert "JSON cannot hold its arguments" in error.__notes__[0]


def test_one_whose_constructor_makes_something_else_comes_as_step_failed():
    class Sly(Exception):
        def __new__(cls, *args):
            return ValueError(*args)

    raw = failures.decode(b'{"type":"Sly","message":"m","args":["m"],"module":"tests","bases":["Exception"]}')
    assert type(rebuild(raw, (Sly,))) is StepFailed


def test_a_stranger_of_the_same_name_is_no_listed_one():
    theirs = type("Declined", (OSError,), {"__module__": "library"})
    error = stored(theirs("x"), (Declined,))
    assert type(error) is StepFailed
    ours = type("Declined", (PaymentError,), {"__module__": "shop"})
    assert type(stored(ours("x"), (ours, Declined))) is ours
    assert type(stored(ours("x"), (Declined, ours))) is ours


def test_a_module_may_go_by_two_names():
    main = type("Declined", (PaymentError,), {"__module__": "__main__"})
    assert type(stored(main("x"), (Declined,))) is Declined


def test_a_dataclass_and_builtins():
    @dataclass
    class Refused(Exception):
        code: int
        text: str

    assert stored(Refused(4, "t"), (Refused,)) == Refused(4, "t")
    assert type(stored(FileNotFoundError(2, "m"), (OSError,))) is FileNotFoundError
    assert stored(KeyError("k"), (LookupError,)).args == ("k",)


def test_a_time_limit_is_step_timed_out_even_where_timeout_error_is_listed():
    error = stored(StepTimedOut("ran longer than 3 s"), (TimeoutError, Exception))
    assert type(error) is StepTimedOut
    assert isinstance(error, TimeoutError)
    assert str(error) == "ran longer than 3 s"
    assert error.step == "charge"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(json_values, max_size=4))
def test_any_json_arguments_come_back_or_it_is_step_failed(arguments):
    """NUL and lone surrogates cannot be stored; everything else is the same again."""
    error = stored(PaymentError(*arguments), (PaymentError,))
    storable = "\\u0000" not in repr(arguments) and "\\x00" not in repr(arguments)
    storable = storable and not any("\ud800" <= char <= "\udfff" for char in str(arguments))
    if storable and "\\ud" not in repr(arguments):
        assert type(error) is PaymentError
        assert error.args == tuple(arguments)
    else:
        assert isinstance(error, PaymentError | StepFailed)


failures_of_any_shape = st.builds(
    Failure,
    type=st.sampled_from(["Declined", "Picky", "PaymentError", "Exception", "StepTimedOut", "", "X"]),
    message=st.text(),
    args=st.none() | st.lists(json_values, max_size=3),
    module=st.sampled_from(["", "x", __name__]),
    bases=st.lists(st.sampled_from(["PaymentError", "Exception", "OSError", "Y"]), max_size=3),
)


@given(
    failures_of_any_shape,
    st.lists(st.sampled_from([Declined, Picky, PaymentError, Exception, OSError]), unique=True),
)
def test_nothing_stored_makes_it_crash(failure, raises):
    error = rebuild(failure, raises)
    assert isinstance(error, (StepFailed, *raises))


@step(raises=(Declined,))
async def charge(order: str) -> str:
    return order


@workflow
async def buy(order: str) -> str:
    try:
        return await charge(order)
    except Declined as declined:
        return f"declined: {declined.reason}"
    except StepFailed as failed:
        return f"failed: {failed}"


@pytest.mark.parametrize(
    ("error", "result"), [(Declined("no"), "declined: no"), (KeyError("k"), "failed: KeyError: 'k'")]
)
def test_the_workflow_catches_them(begin, error, result):
    instance = begin(buy, "1")
    [asked] = instance.asked()
    instance.answer(asked, error=failures.encode(error, step="charge"))
    assert instance.ended == ("completed", result)
