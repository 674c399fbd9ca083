"""W8: 10,000 instances are taken over, whatever else waits. `python -m bench.takeover` measures the same."""

from __future__ import annotations

import asyncio

import pytest
from bench.takeover import measure

LEASE, HEARTBEAT, POLL = 10.0, 2.0, 1.0


@pytest.mark.verify
@pytest.mark.timeout(400)
async def test_I14_ten_thousand_instances_go_on_and_fifty_thousand_older_starts_do_not_delay_them() -> None:
    """L + H + P on a machine of its own; this one runs other tests meanwhile, so twice that.

    Until the death is declared the heir has room and nothing else to do, so it rightly takes starts, as it does again
    once the last instance is claimed. What must not be is a start claimed between the first and the last of them.
    """
    took = await asyncio.to_thread(measure)
    print(took)
    assert took["silent"] >= LEASE, "not a moment before"
    assert took["before"] > 0, "starts were due, and were being claimed, when the death was declared"
    assert took["among"] == 0, "what was under way comes before any start"
    assert took["waiting"] > 0, "and starts were left to claim all the while"
    assert took["continued"] <= 2 * (LEASE + HEARTBEAT + POLL)
