"""What one run costs: wall and processor time here, commits, rows and WAL bytes in PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

_COUNTERS = """
    select xact_commit as commits, tup_inserted + tup_updated + tup_deleted as rows,
           pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as wal
    from pg_stat_database where datname = current_database()
"""


@dataclass
class Cost:
    """Totals of one run: seconds, seconds of this process's processor time, and the database's counters."""

    seconds: float = 0.0
    python: float = 0.0
    commits: int = 0
    rows: int = 0
    wal: int = 0


async def counters(dsn: str, settle: float = 1.2) -> asyncpg.Record:
    """Busy backends report their counters each second, and idle ones what is left after ten."""
    connection = await asyncpg.connect(dsn)
    try:
        await asyncio.sleep(settle)
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select pg_stat_clear_snapshot()")
        return await connection.fetchrow(_COUNTERS)
    finally:
        await connection.close()


@asynccontextmanager
async def measured(dsn: str) -> AsyncIterator[Cost]:
    """Fill in the cost of what runs in the block."""
    cost = Cost()
    before = await counters(dsn)
    started, python = time.perf_counter(), time.process_time()
    yield cost
    cost.seconds, cost.python = time.perf_counter() - started, time.process_time() - python
    after = await counters(dsn)
    cost.commits = after["commits"] - before["commits"]
    cost.rows = after["rows"] - before["rows"]
    cost.wal = after["wal"] - before["wal"]
