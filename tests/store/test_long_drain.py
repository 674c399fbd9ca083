"""100,000 timers due at once: claims do not wade ever deeper through the index entries that claims before them left."""

from __future__ import annotations

import json

import pytest

from orquestrax.core.store.statements import statement
from tests.store.support import Rig

DUE, BATCH = 100_000, 200
PER_LEAF = 100  # entries of the index on a page, at least


@pytest.mark.verify
async def test_late_claims_of_a_long_drain_cost_hardly_more_than_early_ones(rig: Rig):
    """Without any vacuum. What is dead is marked in the index at the first look, so that nobody looks at its row again.

    A claim goes by the marked entries, a page of them at a time: that much it may cost more, and no row.
    """
    fence = await rig.node()
    await rig.rows("alter table {schema}.instances set (autovacuum_enabled = false)")
    await rig.rows(
        "insert into {schema}.instances (key, id, definition, status, lane, wake_at, started_at, digest, input)"
        " select ('0199' || lpad(to_hex(n), 28, '0'))::uuid, n::text, 'd', 'waiting', 0, {schema}.now(),"
        f" {{schema}}.now(), '', '[]' from generate_series(1, {DUE}) as n"
    )
    await rig.rows("analyze {schema}.instances")
    claim = f"explain (analyze, buffers, format json) {statement(rig.address.schema, 'claim_due')}"
    pages = []
    connection = await rig.connect()
    for _ in range(DUE // BATCH):
        plan = json.loads(await connection.fetchval(claim, fence.number, ["d"], [0], [BATCH], [""], BATCH))[
            0
        ]["Plan"]
        assert plan["Actual Rows"] == BATCH
        pages.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    first, last = sorted(pages[:50])[25], sorted(pages[-50:])[25]
    assert last <= first + DUE // PER_LEAF, (first, last, max(pages))
