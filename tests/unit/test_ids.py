"""Generated keys rise and never repeat; chosen ids are plain text."""

from __future__ import annotations

import os
import pickle
import random
import threading
import time
import unicodedata
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orquestrax.base import ids
from orquestrax.base.errors import InvalidId
from orquestrax.base.ids import UuidFactory, check_id, uuid7

MILLI = 1_000_000


def test_a_generated_id_is_a_uuid_of_version_7() -> None:
    made = uuid7()

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made == UUID(str(made)) == UUID(int=made.int)
    assert pickle.loads(pickle.dumps(made)) == made
    assert hash(made) == hash(UUID(str(made)))
    assert made.is_safe is UUID(int=made.int).is_safe


def test_its_first_48_bits_are_the_time_in_milliseconds() -> None:
    factory = UuidFactory(clock_ns=lambda: 1_700_000_000_123 * MILLI + 999_999)

    assert factory().int >> 80 == 1_700_000_000_123


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=50), st.integers())
def test_ids_rise_whatever_the_clock_does(millis: list[int], seed: int) -> None:
    ticks = iter(millis)
    factory = UuidFactory(clock_ns=lambda: next(ticks) * MILLI, source=lambda: random.Random(seed))

    made = [factory() for _ in millis]

    assert all(earlier < later for earlier, later in pairwise(made))
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}


def test_a_millisecond_that_is_used_up_runs_over_into_the_next() -> None:
    class Largest(random.Random):
        def getrandbits(self, k: int, /) -> int:
            return (1 << k) - 1

    factory = UuidFactory(clock_ns=lambda: 5 * MILLI, source=Largest)
    first = factory()
    factory._last |= (1 << 74) - 1  # nothing is left of this millisecond
    second = factory()

    assert first.int >> 80 == 5
    assert second.int >> 80 == 6
    assert (second.version, second.variant) == (7, "specified in RFC 4122")


class Least(random.Random):
    def getrandbits(self, k: int, /) -> int:
        return 0


def test_threads_never_get_the_same_id() -> None:
    def clock() -> int:
        time.sleep(0)  # lets another thread in, at the worst moment
        return 1

    factory = UuidFactory(clock_ns=clock, source=Least)
    made: list[list[UUID]] = [[] for _ in range(4)]

    def fill(mine: list[UUID]) -> None:
        mine.extend(factory() for _ in range(500))

    threads = [threading.Thread(target=fill, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one for mine in made for one in mine}) == 2_000


def test_a_forked_child_does_not_repeat_its_parents_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids._factory, "_clock_ns", lambda: 2**60)  # else the time alone would tell them apart
    uuid7()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, b"".join(uuid7().bytes for _ in range(100)))
        os._exit(0)
    mine = {uuid7().bytes for _ in range(100)}
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)

    assert len(theirs) == 1_600
    assert not mine & {theirs[at : at + 16] for at in range(0, 1_600, 16)}


@pytest.mark.parametrize("text", ["a", "order-42", "x" * 255, "Bestellung № 7 / größer", "注文", "😀", " "])
def test_plain_text_is_an_id(text: str) -> None:
    assert check_id(text) is text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "an id must have 1 to 255 characters, but it is empty"),
        ("y" * 256, "an id must have 1 to 255 characters, but 'yyyyyyyyyyyyyyyyyyyy'… has 256"),
        ("a\0b", "an id must hold no control character, but 'a\\x00b' has one at position 1"),
        ("ab\n", "an id must hold no control character, but 'ab\\n' has one at position 2"),
        ("ü\x85", "an id must hold no control character, but 'ü\\x85' has one at position 1"),
        ("\ud800", "an id must hold no half of a surrogate pair, but '\\ud800' has one at position 0"),
        (7, "an id must be text, not int"),
    ],
)
def test_other_ids_are_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidId) as refused:
        check_id(text)

    assert str(refused.value) == sentence


@settings(deadline=None)
@given(st.text(st.characters(), max_size=300))
def test_an_id_is_accepted_if_and_only_if_it_follows_the_rule(text: str) -> None:
    plain = all(unicodedata.category(character) not in ("Cc", "Cs") for character in text)
    fits = plain and 1 <= len(text) <= 255

    try:
        accepted = check_id(text) == text
    except InvalidId:
        accepted = False

    assert accepted is fits
