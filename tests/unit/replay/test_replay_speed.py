"""A fan-out of 10,000 steps and a history of 50,000 events replay within a second of processor time."""

from __future__ import annotations

from typing import Any

import pytest
from bench.replay import SHAPES, live, replayed


@pytest.mark.verify
@pytest.mark.parametrize(
    ("shape", "count"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
def test_replay_within_a_second(shape: Any, count: int) -> None:
    history, _ = live(shape(count))
    assert len(history) >= count
    assert min(replayed(shape(count), history) for _ in range(3)) < 1.0
