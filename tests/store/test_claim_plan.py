"""Claims cost the same whatever lies in the table: judged by plans and pages, not by the clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orquestrax.core.store.statements import statement
from tests.store.support import Rig

pytestmark = pytest.mark.verify

BACKLOG = 200_000
FEW = 400  # pages that a claim may look at: a scan of the table alone would be ten thousand


async def backlog(rig: Rig, rows: int, *, definition: str, wake_at: str, started: bool) -> None:
    """Many instances at once."""
    await rig.rows(
        "insert into {schema}.instances (key, id, definition, status, wake_at, digest, input, started_at)"
        " select md5(g::text)::uuid, g::text, $1, 'waiting', " + wake_at + ", '', 'null',"
        " case when $2 then {schema}.now() end from generate_series(1, " + str(rows) + ") as g",
        definition,
        started,
    )
    await rig.rows("analyze {schema}.instances")


async def explain(rig: Rig, sql: str, *arguments: Any) -> tuple[list[str], int]:
    """The kinds of scan in the plan of a statement that really runs, and the pages it looked at."""
    connection = await rig.connect()
    transaction = connection.transaction()
    await transaction.start()
    text = await connection.fetchval(f"explain (analyze, buffers, format json) {sql}", *arguments)
    await transaction.rollback()
    plan = json.loads(text)[0]["Plan"]
    scans = [
        f"{node['Node Type']} {node.get('Index Name', node.get('Relation Name', ''))}" for node in nodes(plan)
    ]
    return scans, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_a_backlog_that_nobody_serves_is_never_looked_at(rig: Rig):
    """Against the mutant, an order by priority and time over everything that is due."""
    fence = await rig.node()
    await backlog(rig, BACKLOG, definition="served by nobody", wake_at="{schema}.now()", started=False)
    mine = [await rig.pending() for _ in range(5)]
    claim = statement(rig.address.schema, "claim_due")
    scans, pages = await explain(rig, claim, fence.number, ["d", "e"], [0, 1], [200, 200], ["", ""], 200)
    assert pages < FEW, scans
    assert "Index Scan instances_due" in scans
    assert "Seq Scan instances" not in scans
    await rig.rows(
        "create index mutant on {schema}.instances (priority, wake_at)"
        " where owner is null and wake_at is not null"
    )
    mutant = rig.text(
        "select key from {schema}.instances where definition = any($1::text[]) and owner is null"
        " and wake_at is not null and wake_at <= {schema}.now() order by priority, wake_at limit 200"
    )
    await rig.rows("drop index {schema}.instances_due")
    _, mutant_pages = await explain(rig, mutant, ["d", "e"])
    assert mutant_pages > 10 * pages
    assert len(mine) == 5


async def test_what_is_out_of_time_is_found_by_its_own_index(rig: Rig):
    fence = await rig.node()
    await backlog(rig, BACKLOG, definition="d", wake_at="null", started=True)
    await rig.rows(
        "update {schema}.instances set deadline = {schema}.now() - interval '1 s' "
        "where key in (select key from {schema}.instances limit 3)"
    )
    await rig.rows("analyze {schema}.instances")
    claim = statement(rig.address.schema, "claim_overdue")
    scans, pages = await explain(rig, claim, fence.number, 200)
    assert pages < FEW, scans
    assert any("instances_deadline" in scan for scan in scans), scans
    assert "Seq Scan instances" not in scans


async def test_orders_are_found_by_the_inbox_and_not_among_a_crowd_of_parked_instances(rig: Rig):
    fence = await rig.node()
    await backlog(rig, BACKLOG, definition="d", wake_at="null", started=True)
    crowd = await rig.rows("select key from {schema}.instances limit 3000")
    await rig.rows(
        "insert into {schema}.inbox (instance, number, kind, message)"
        " select unnest($1::uuid[]), 1, 'signal', 'm'",
        [row["key"] for row in crowd],
    )
    key = await rig.pending()
    await rig.send(key, kind="terminate")
    await rig.rows("analyze {schema}.inbox")
    scans, pages = await explain(rig, statement(rig.address.schema, "claim_orders"), fence.number, 200)
    assert pages < FEW, scans
    assert "Seq Scan instances" not in scans


@pytest.mark.parametrize("name", ["owned", "free_instances", "mail_of_node"])
async def test_what_a_node_holds_is_found_by_its_index(rig: Rig, name: str):
    fence = await rig.node()
    await backlog(rig, 50_000, definition="d", wake_at="null", started=True)
    await rig.owned(fence)
    more = (True,) if name == "free_instances" else ()
    scans, pages = await explain(rig, statement(rig.address.schema, name), fence.number, *more)
    assert pages < FEW, scans


async def test_the_clock_is_stable_so_that_the_index_is_used(rig: Rig):
    """Against the mutant, a volatile clock, which must be asked for each row."""
    fence = await rig.node()
    await backlog(rig, 50_000, definition="d", wake_at="{schema}.now() + interval '1 day'", started=True)
    claim = statement(rig.address.schema, "claim_due")
    _, pages = await explain(rig, claim, fence.number, ["d"], [0, 1], [200, 200], [""], 200)
    assert pages < FEW
    await rig.rows("alter function {schema}.now() volatile")
    _, mutant_pages = await explain(rig, claim, fence.number, ["d"], [0, 1], [200, 200], [""], 200)
    assert mutant_pages > 3 * pages


async def test_the_clock_can_be_replaced_to_skip_time(rig: Rig):
    store = await rig.store()
    key = await rig.pending()
    await rig.rows(
        "update {schema}.instances set wake_at = {schema}.now() + interval '30 days' where key = $1", key
    )
    assert await store.claim_due({"d": ""}, 1, 10) == []
    await rig.rows(
        "create or replace function {schema}.now() returns timestamptz language sql stable parallel safe"
        " as $$ select clock_timestamp() + interval '31 days' $$"
    )
    assert [row.key for row in await store.claim_due({"d": ""}, 1, 10)] == [key]
    volatility = await rig.value("select provolatile from pg_proc where oid = '{schema}.now'::regproc")
    assert volatility == b"s"
