"""The plans of all statements: in a schema of a million rows, and in one that has grown since they were made.

No setting of the planner is touched. `tests/store/plans` says which statement must use which index.
"""

from __future__ import annotations

from importlib.resources import files

import pytest

from orquestrax.core.store import statements
from orquestrax.core.store.held import NO_SCANS
from tests.store.plans.cold import COLD
from tests.store.plans.explaining import CUSTOM_RUNS, Seen, Session
from tests.store.plans.filling import MINE_TOO, crowd, fill, prepare
from tests.store.plans.hot import ENGINE, HOT, Case, Where
from tests.store.support import Rig

YOUNG = 100_000
# As the nodes' connections are opened, and the pool's.
AS_OPENED = {
    Where.FENCED: "; ".join(f"set {name} = {value}" for name, value in NO_SCANS.items()),
    Where.HELD: "; ".join(f"set {name} = {value}" for name, value in NO_SCANS.items()),
    Where.POOL: "set plan_cache_mode = force_custom_plan",
}


def test_each_statement_has_its_line():
    """A new statement says what its plan must use, or why that does not matter."""
    folder = files(statements.__package__).joinpath("sql")
    there = {entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql")}
    hot = {case.statement for case in HOT}
    assert hot | COLD.keys() == there
    assert not hot & COLD.keys()


def wrong(case: Case, seen: Seen) -> str:
    """What does not fit, if anything."""
    fits = seen.indexes <= case.indexes and seen.scanned <= case.whole and seen.pages <= case.pages
    return "" if fits else f"{case}: {seen}; allowed: {sorted(case.indexes)}, {case.pages} pages"


async def session(rig: Rig, cases: tuple[Case, ...], opening: str = "") -> Session:
    """A connection on which these statements are prepared."""
    connection = await rig.connect()
    if opening:
        await connection.execute(opening)
    opened = Session(connection, rig.address.schema)
    for name in sorted({case.statement for case in cases}):
        await opened.prepare(name)
    return opened


async def test_each_line_calls_its_statement_as_it_is_written(rig: Rig):
    """On an empty schema, so that a parameter of another type or number is met at once."""
    await prepare(rig)
    opened = await session(rig, HOT)
    for case in HOT:
        await opened.run(case.statement, case.arguments, 1)


@pytest.mark.verify
@pytest.mark.timeout(600)
async def test_plans_with_a_million_rows_and_before_the_first_analyze(rig: Rig):
    """One table for both: plans that were made and kept while it was empty, then fresh ones, custom and kept."""
    await prepare(rig)
    early = []
    for where, opening in AS_OPENED.items():
        cases = tuple(case for case in ENGINE if case.where is where)
        opened = await session(rig, cases, opening)
        for case in cases:
            await opened.run(case.statement, case.arguments, CUSTOM_RUNS + 1)
        early.append((opened, cases))
    for sql in MINE_TOO:
        await rig.rows(sql)
    await crowd(rig, 1, YOUNG)
    found = [
        wrong(case, await opened.explain(case.statement, case.arguments))
        for opened, cases in early
        for case in cases
    ]
    assert not any(found), "\n".join(filter(None, found))

    await fill(rig, YOUNG + 1)
    late = await session(rig, HOT)
    found = []
    for case in HOT:
        found.append(wrong(case, await late.explain(case.statement, case.arguments)))
        await late.run(case.statement, case.arguments, CUSTOM_RUNS - 1)
        found.append(wrong(case, await late.explain(case.statement, case.arguments)))
        found.append(wrong(case, await late.explain(case.statement, case.arguments)))
    assert not any(found), "\n".join(filter(None, found))
