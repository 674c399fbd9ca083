"""A witness in the database: which fence each history event was written behind, and in which transaction.

A trigger notes down the number whose advisory lock the writing transaction holds. Together with the times of commits
it tells whether a node that had been declared dead has written anything after all (I4). It also keeps the table in
which transactional steps leave their effects.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from orquestrax.core.store.database import Address

DDL: Final = """
    create table chaos_bookings (token text not null);
    create table chaos_writes (instance uuid not null, seq integer not null, fence integer, xid xid8 not null);
    create function chaos_note() returns trigger language plpgsql as $$
    declare
        holding integer := (
            select l.objid::bigint from pg_locks as l
            where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.granted and l.objsubid = 2 limit 1);
    begin
        insert into chaos_writes select instance, seq, holding, pg_current_xact_id() from added;
        return null;
    end $$;
    create trigger chaos_note after insert on {schema}.events referencing new table as added
        for each statement execute function chaos_note();
"""
LATE: Final = """
    select w.instance, w.seq, w.fence, n.ended_at, pg_xact_commit_timestamp(w.xid::xid) as at
    from chaos_writes as w left join {schema}.nodes as n on n.fence = w.fence
    where w.fence is null or n.fence is null
       or (n.status = 'dead' and pg_xact_commit_timestamp(w.xid::xid) > n.ended_at)
"""
UNSEEN: Final = """
    select e.instance, e.seq from {schema}.events as e
    where not exists (select from chaos_writes as w where w.instance = e.instance and w.seq = e.seq)
    union all
    select w.instance, w.seq from chaos_writes as w
    where not exists (select from {schema}.events as e where w.instance = e.instance and w.seq = e.seq)
"""


async def install_witness(address: Address) -> None:
    """Into a schema that is migrated and empty."""
    connection = await asyncpg.connect(address.dsn)
    try:
        await connection.execute(DDL.replace("{schema}", address.schema))
    finally:
        await connection.close()
