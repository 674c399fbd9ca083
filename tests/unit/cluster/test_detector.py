"""Death is observed: one whole lease of the observer's own clock, watched without a gap."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestrax.cluster.detector import FailureDetector, Seen
from orquestrax.cluster.lease import Lease

LEASE, BEAT = 10.0, 2.0
NODE = 7


def watch(looks: list[tuple[float, float, int]], gap: float = 2 * BEAT) -> list[float]:
    """Looks as (sent, received, counter); returns the times at which the node was suspect."""
    detector = FailureDetector(gap)
    return [
        received
        for sent, received, counter in looks
        if detector.look({NODE: Seen(counter, LEASE)}, sent=sent, received=received)
    ]


def every(step: float, *, start: float, stop: float, counter: int = 1) -> list[tuple[float, float, int]]:
    count = int((stop - start) / step) + 1
    return [(start + n * step, start + n * step, counter) for n in range(count)]


def test_I14_silent_for_a_whole_lease_it_is_suspect_and_not_a_moment_sooner() -> None:
    assert watch(every(1, start=0, stop=9.9)) == []
    assert watch(every(1, start=0, stop=10)) == [10]


def test_I14_each_beat_begins_the_lease_anew() -> None:
    beating = [(float(n), float(n), n // 9) for n in range(200)]
    assert watch(beating) == []


def test_I14_the_time_in_which_a_look_waits_for_its_answer_does_not_count() -> None:
    """Asked at 9.5 and answered at 10.5: the counter may have been read at any moment between the two."""
    assert watch([*every(1, start=0, stop=9), (9.5, 10.5, 1)]) == []
    assert watch([(-3.0, 0.0, 1), *every(1, start=1, stop=9.9)]) == [], "first known when it was answered"


def test_I14_an_outage_of_the_database_makes_nobody_suspect() -> None:
    """After it everybody gets a whole lease anew, as nobody could beat meanwhile."""
    looks = every(1, start=0, stop=9) + every(1, start=60, stop=69)
    assert watch(looks) == []
    assert watch([*looks, *every(1, start=70, stop=70)]) == [70]


def test_I14_without_the_rule_of_the_gap_an_outage_kills_the_fleet() -> None:
    """The mutant."""
    assert watch(every(1, start=0, stop=9) + every(1, start=60, stop=60), gap=float("inf")) == [60]


def test_I14_an_observer_that_was_frozen_suspects_nobody() -> None:
    """Its look was sent before and is answered after: the answer is old."""
    assert watch([*every(1, start=0, stop=9), (9.5, 500.0, 1), (500.1, 500.2, 2)]) == []


def test_those_that_are_gone_are_forgotten() -> None:
    detector = FailureDetector(4)
    for now in range(11):
        detector.look({NODE: Seen(1, LEASE)} if now != 5 else {}, sent=now, received=now)
    assert detector.look({NODE: Seen(1, LEASE)}, sent=12, received=12) == []


def test_a_node_is_watched_by_the_lease_that_it_announced() -> None:
    detector = FailureDetector(4)
    for now in range(4):
        found = detector.look({1: Seen(1, 3.0), 2: Seen(1, 30.0)}, sent=now, received=now)
    assert found == [1]


def test_the_next_look_is_due_when_the_first_lease_ends() -> None:
    detector = FailureDetector(4)
    nodes = {1: Seen(1, 10.0), 2: Seen(1, 3.0)}
    assert detector.next_due({}, 0) == float("inf")
    detector.look(nodes, sent=0, received=0)
    assert detector.next_due(nodes, 1.0) == 2.0
    assert detector.next_due(nodes, 99.0) == 0.0


@dataclass
class Run:
    """A node that beats until it dies, an observer with a clock of its own rate, and outages of the database."""

    beats: list[float]
    looks: list[tuple[float, float]]
    rate: float
    suspected: list[float] = field(default_factory=list)

    def play(self) -> None:
        detector = FailureDetector(2 * BEAT * self.rate)
        for sent, took in self.looks:
            counter = sum(beat <= sent + took / 2 for beat in self.beats)
            seen = {NODE: Seen(counter, LEASE * self.rate)}
            if detector.look(seen, sent=sent * self.rate, received=(sent + took) * self.rate):
                self.suspected.append(sent + took)


@given(
    st.lists(st.floats(0.01, LEASE - 0.1), min_size=1, max_size=60),
    st.lists(st.tuples(st.floats(0.01, 40.0), st.floats(0.0, 15.0)), min_size=1, max_size=80),
    st.floats(0.1, 10.0),
)
def test_I14_who_beats_within_the_lease_is_never_suspect(
    pauses: list[float], looks: list[tuple[float, float]], rate: float
) -> None:
    """Whatever the observer's clock says, however slow its looks are, and whatever gaps they have."""
    beats = list(itertools.accumulate(pauses))
    at = beats[-1]
    asked, now = [], 0.0
    for wait, took in looks:
        now += wait
        if now + took < at:  # as long as it beats
            asked.append((now, took))
        now += took
    run = Run(beats, asked, rate)
    run.play()
    assert run.suspected == []


@given(st.floats(0.0, 30.0), st.floats(0.2, 1.9))
def test_I14_the_dead_are_suspect_within_a_lease_and_two_looks(died: float, poll: float) -> None:
    beats = [n * BEAT for n in range(20) if n * BEAT <= died]
    run = Run(beats, [(n * poll, 0.0) for n in range(int(80 / poll))], 1.0)
    run.play()
    assert run.suspected
    assert LEASE <= run.suspected[0] - beats[-1] <= LEASE + 2 * poll + 1e-6


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_I15_no_body_starts_in_the_margin_before_the_end_of_a_lease() -> None:
    clock = Clock()
    lease = Lease(10, margin=2, clock=clock)
    for passed, allowed in ((0, True), (7.9, True), (8.1, False), (10, False), (1e6, False)):
        clock.now = 100 + passed
        assert lease.allows() is allowed, passed
    assert lease.remaining < 0


def test_I15_a_renewal_counts_from_when_it_was_sent() -> None:
    clock = Clock()
    lease = Lease(10, margin=2, clock=clock)
    clock.now = 107.0
    lease.renew(sent=101.0)
    assert lease.remaining == pytest.approx(4.0)
    clock.now = 109.1
    assert not lease.allows()
