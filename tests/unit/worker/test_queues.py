"""The pure parts of the queues: what people write, what goes with a call, how far ahead is taken."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import orquestrax as ox
from orquestrax import Retry
from orquestrax.base.errors import SettingsError
from orquestrax.core.changes import changes_of, with_changes
from orquestrax.core.peers import Peers
from orquestrax.model.queues import ALL, NONE, Served, read_queues
from orquestrax.worker.queues.pace import Pace


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("*", ALL),
        ("a", Served(names=frozenset({"a"}))),
        (" a , b:20 ", Served(names=frozenset({"a", "b"}), limits={"b": 20})),
        ("b:3,*", Served(limits={"b": 3})),
    ],
)
def test_queues_as_people_write_them(text: str, served: Served) -> None:
    assert read_queues(text, "--queues") == served


@pytest.mark.parametrize("text", ["", "a,,b", "a:", "a:0", "a:-1", "a:b", "a b", "*:3", "a:1:2"])
def test_what_is_no_list_of_queues_is_one_sentence(text: str) -> None:
    with pytest.raises(SettingsError, match="queues from --queues"):
        read_queues(text, "--queues")


class Declined(Exception): ...


@ox.step(queue="far", timeout=5, retry=Retry(attempts=2, never=(Declined,)))
def charge(n: int) -> int:
    return n


SECONDS = st.floats(0.001, 1e6)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "queue": st.sampled_from(["far", "near"]),
        "timeout": st.none() | SECONDS | st.timedeltas(timedelta(seconds=1), timedelta(days=30)),
        "total_timeout": st.none() | SECONDS,
        "queue_timeout": st.none() | SECONDS,
        "executor": st.sampled_from(["thread", "process"]),
        "at_most_once": st.booleans(),
        "retry": st.builds(
            Retry,
            attempts=st.integers(1, 9),
            initial=SECONDS | st.timedeltas(timedelta(0), timedelta(hours=1)),
            never=st.sampled_from([(), (Declined,), (KeyError, Declined), (OSError,)]),
        ),
    },
)


@settings(deadline=None)
@given(OPTIONS)
def test_the_options_of_a_call_arrive_where_it_runs(options: dict[str, object]) -> None:
    called = charge.options(**options)  # type: ignore[arg-type]
    there = with_changes(charge, called.options.queue, changes_of(called))
    for name in ("queue", "executor", "timeout", "total_timeout", "queue_timeout", "at_most_once"):
        assert getattr(there.options, name) == getattr(called.options, name), name
    assert there.options.retry.never == called.options.retry.never
    assert there.options.retry.attempts == called.options.retry.attempts


def test_what_the_call_leaves_alone_is_for_the_code_there_to_say() -> None:
    assert changes_of(charge) == "{}"
    assert changes_of(charge.options(timeout=7)) == '{"timeout":7.0}'
    assert with_changes(charge, "far", "{}") is charge


def test_what_is_known_of_others() -> None:
    alone = Peers(ALL)
    assert (alone.spreads, alone.shares("a")) == (False, False)
    assert alone.observe([["a"]])
    assert (alone.spreads, alone.shares("a"), alone.shares("b")) == (True, True, False)
    assert not alone.observe([["a"], ["a"]]), "nothing new is shared"
    assert alone.observe([["*"]])
    assert alone.shares("b")
    assert not alone.observe([])
    assert not alone.spreads
    assert Peers(NONE).spreads, "whoever runs no steps asks others always"


def test_slots_of_short_bodies_are_filled_ahead_and_those_of_long_ones_are_not() -> None:
    pace = Pace(0.0)
    for round_ in range(1, 20):
        for _ in range(16):  # 1,600 a second, and a claim takes 3 ms
            pace.ended()
        pace.claimed(round_ * 0.01 - 0.003, round_ * 0.01)
    assert pace.ahead(100) in (8, 9)
    assert pace.ahead(5) == 5
    slow = Pace(0.0)
    for minute in range(1, 20):
        slow.ended()
        slow.claimed(minute * 60 - 0.003, minute * 60)
    assert slow.ahead(100) == 0
