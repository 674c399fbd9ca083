"""When a failed attempt is tried again."""

from __future__ import annotations

import math
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestrax.base.errors import RetryAfter, StepTimedOut
from orquestrax.model.backoff import LONGEST
from orquestrax.model.options import Retry, seconds
from orquestrax.worker.retrying import next_delay

ROUNDING = 1 + 1e-9


class Declined(Exception):
    pass


class HardDeclined(Declined):
    pass


def durations(most=1e9):
    """Seconds or a timedelta."""
    spans = st.floats(0, most)
    return spans | spans.map(lambda s: timedelta(seconds=s))


retries = st.builds(
    Retry,
    attempts=st.integers(1, 10_000),
    initial=durations(),
    backoff=st.floats(1, 1e6),
    max_delay=durations() | st.just(math.inf),
    jitter=st.floats(0, 1),
    max_elapsed=st.none() | durations(),
)
attempts = st.integers(1, 10_001)
elapsed_times = st.floats(0, 1e9)
rngs = st.integers().map(random.Random)
errors = st.sampled_from([ValueError(), Declined(), HardDeclined(), StepTimedOut("late"), SystemExit(1)])
after = st.floats(allow_nan=True, allow_infinity=True)


@given(retries, attempts, errors, elapsed_times, rngs)
def test_a_delay_is_finite_and_within_all_bounds(retry, attempt, error, elapsed, rng):
    delay = next_delay(retry, attempt, error, elapsed=elapsed, rng=rng)
    if delay is None:
        return
    assert 0 <= delay <= min(seconds(retry.max_delay), LONGEST) * ROUNDING
    assert attempt < retry.attempts
    if retry.max_elapsed is not None:
        assert elapsed + delay <= seconds(retry.max_elapsed)


@given(retries, attempts, errors, elapsed_times, rngs)
def test_it_is_refused_only_for_a_reason(retry, attempt, error, elapsed, rng):
    delay = next_delay(retry, attempt, error, elapsed=elapsed, rng=rng)
    longest = min(seconds(retry.max_delay), LONGEST)
    out_of_time = retry.max_elapsed is not None and elapsed + longest > seconds(retry.max_elapsed)
    if attempt < retry.attempts and not out_of_time:
        assert delay is not None


@given(st.integers(1, 2000), st.floats(0.001, 100), st.floats(1, 10), st.floats(0, 1), rngs)
def test_the_back_off_is_exponential_within_its_jitter(attempt, initial, backoff, jitter, rng):
    retry = Retry(attempts=10_000, initial=initial, backoff=backoff, max_delay=3600, jitter=jitter)
    delay = next_delay(retry, attempt, ValueError(), elapsed=0, rng=rng)
    plain = math.exp(min(math.log(3600), math.log(initial) + (attempt - 1) * math.log(backoff)))
    assert delay is not None
    assert plain * (1 - jitter) * (1 - 1e-6) <= delay <= plain * (1 + jitter) * (1 + 1e-6)


@given(st.integers(1, 500), rngs)
def test_without_jitter_delays_never_shrink(attempt, rng):
    retry = Retry(attempts=1000, jitter=0, max_delay=30)
    first, second = (next_delay(retry, n, ValueError(), elapsed=0, rng=rng) for n in (attempt, attempt + 1))
    assert first <= second <= 30


def test_the_default_doubles_from_one_second_up_to_a_minute():
    retry = Retry(attempts=9, jitter=0)
    delays = [next_delay(retry, n, ValueError(), elapsed=0, rng=random.Random(0)) for n in range(1, 10)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, None]


@pytest.mark.parametrize("initial", [1.0, 60.0])
def test_jitter_spreads_a_herd_also_at_the_longest_delay(initial):
    retry = Retry(attempts=2, initial=initial, max_delay=60, jitter=0.1)
    rng = random.Random(0)
    delays = [next_delay(retry, 1, ValueError(), elapsed=0, rng=rng) for _ in range(1000)]
    assert len(set(delays)) == 1000
    assert max(delays) - min(delays) > 0.09 * initial


@given(retries, attempts, elapsed_times, rngs, after)
def test_retry_after_sets_the_delay_and_nothing_else(retry, attempt, elapsed, rng, after):
    delay = next_delay(retry, attempt, RetryAfter(after), elapsed=elapsed, rng=rng)
    wanted = min(after, LONGEST) if after > 0 else 0
    limit = math.inf if retry.max_elapsed is None else seconds(retry.max_elapsed)
    assert delay == (wanted if attempt < retry.attempts and elapsed + wanted <= limit else None)


@given(retries, attempts, elapsed_times, rngs, st.sampled_from([Declined(), HardDeclined()]))
def test_never_is_final_for_subclasses_too(retry, attempt, elapsed, rng, error):
    never = Retry(attempts=retry.attempts, max_elapsed=retry.max_elapsed, never=(KeyError, Declined))
    assert next_delay(never, attempt, error, elapsed=elapsed, rng=rng) is None


def test_never_timeout_error_covers_our_time_limits():
    retry = Retry(never=(TimeoutError,))
    assert next_delay(retry, 1, StepTimedOut("late"), elapsed=0, rng=random.Random(0)) is None


@given(retries, attempts, errors, elapsed_times, st.integers())
def test_the_same_chance_gives_the_same_delay(retry, attempt, error, elapsed, seed):
    one, two = (next_delay(retry, attempt, error, elapsed=elapsed, rng=random.Random(seed)) for _ in range(2))
    assert one == two
