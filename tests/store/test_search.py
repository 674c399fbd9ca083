"""Search by id: what is found, in which order, and that it does not read the whole table for it."""

from __future__ import annotations

import pytest

from orquestrax.core.store.searching import keys_of
from orquestrax.core.store.statements import statement
from tests.store.support import Rig
from tests.store.test_claim_plan import explain

MANY = 60_000
PAGES = 400  # of more than nine hundred: the newest 10,000 rows, and what the index finds


async def fill(rig: Rig) -> None:
    """Ids in the order of time: `old-…` (a third), then `order-…`; one in thousand failed."""
    await rig.rows(
        "insert into {schema}.instances (key, id, definition, status, digest, input)"
        " select lpad(to_hex(n), 32, '0')::uuid,"
        " case when n <= " + str(MANY // 3) + " then 'old-' else 'order-' end || n, 'd' || n % 2,"
        " case when n % 1000 = 0 then 'failed' else 'completed' end, '', 'null'"
        " from generate_series(1, " + str(MANY) + ") as n"
    )
    await rig.rows("analyze {schema}.instances")


async def found(rig: Rig, search: str, *, limit: int = 5, **filters: object) -> list[int]:
    """The numbers of what is found."""
    wanted = {"statuses": None, "definition": None, "before": None, **filters}
    keys = await keys_of(rig.database, search, limit=limit, **wanted)  # type: ignore[arg-type]
    assert keys is not None
    return [key.int for key in keys]


async def test_beginnings_are_found_in_all_and_parts_in_the_newest(rig: Rig) -> None:
    await fill(rig)
    assert await found(rig, "order-") == [60_000, 59_999, 59_998, 59_997, 59_996]
    assert await found(rig, "old-1234") == [12349, 12348, 12347, 12346, 12345]
    assert await found(rig, "old-12345") == [12345]
    assert await found(rig, "OLD-12345") == []
    assert await found(rig, "DER-5999") == [59_999, 59_998, 59_997, 59_996, 59_995]
    assert await found(rig, "der-40") == []
    assert await found(rig, "order-4", limit=2) == [49_999, 49_998]
    for pattern in ("%", "_", "order_", "\\", "'", "old-%"):
        assert await found(rig, pattern) == [], pattern


async def test_filters_and_pages_hold_for_what_is_searched(rig: Rig) -> None:
    await fill(rig)
    assert await found(rig, "order-", statuses=["failed"], limit=2) == [60_000, 59_000]
    assert await found(rig, "old-1", statuses=["failed"], definition="d0", limit=3) == [
        19_000,
        18_000,
        17_000,
    ]
    assert await found(rig, "old-1", definition="d1", limit=2) == [19_999, 19_997]
    first = await rig.client.list(search="old-", limit=2)
    second = await rig.client.list(search="old-", limit=2, before=first[-1].key)
    assert [view.id for view in first + second] == ["old-20000", "old-19999", "old-19998", "old-19997"]
    assert [view.id for view in await rig.client.list(search="", limit=1)] == ["order-60000"]


@pytest.mark.parametrize("search", ["old-12345", "nothing", "old-123"])
async def test_a_search_does_not_read_the_whole_table(rig: Rig, search: str) -> None:
    """Against the mutant, a search for the text in every id."""
    await fill(rig)
    sql = statement(rig.address.schema, "search_keys")
    scans, pages = await explain(rig, sql, search, None, None, None, 51)
    assert pages < PAGES, scans
