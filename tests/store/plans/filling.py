"""A million rows in each of the large tables, made by the server itself.

Of the instances 55 in a hundred have completed, 35 are parked (half of them until a moment), 5 are starts of a
definition that nobody serves, and the others failed, are paused, blocked, or run on another node. To these come a few
hundred of each kind that a node of this test claims, holds or has mail for.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from tests.store.support import Rig

MILLION: Final = 1_000_000
LARGE: Final = frozenset({"instances", "events", "inbox", "tasks", "logs"})
DEAD, OTHER, ME = 21, 22, 23  # fences
OF_LANE = 1_000  # due instances of each lane
MINE = 200
_KEY: Final = "('0199' || lpad(to_hex(n), 12, '0') || '80000000' || lpad(to_hex(n), 8, '0'))::uuid"


def key_of(number: int) -> UUID:
    """The key of the nth instance."""
    return UUID(f"0199{number:012x}80000000{number:08x}")


NODES: Final = """
    insert into {schema}.nodes (fence, name, host, boot_id, home_id, pid, roles, queues, definitions, slots, release,
                                status, ended_at)
    select n, 'node-' || n, 'host', 'boot', 'home', n, '{engine,worker,web}', '{*}', '{order,invoice}', '{}', 'test',
           case when n < 22 then 'dead' else 'alive' end, case when n < 22 then {schema}.now() end
    from generate_series(1, 23) as n
"""
INSTANCES: Final = f"""
    insert into {{schema}}.instances
        (key, id, definition, status, owner, lane, wake_at, created_at, started_at, ended_at, digest, input, result,
         error, waits, deadline, mail, blocked_by)
    select {_KEY}, 'order-' || n,
           case when n % 100 between 90 and 94 then 'unserved' when n % 1000 = 7 then 'rare'
                when n % 3 = 0 then 'invoice' else 'order' end,
           case when n % 100 < 55 then 'completed' when n % 100 < 90 then 'waiting' when n % 100 < 95 then 'pending'
                when n % 100 < 97 then 'failed' when n % 100 = 97 then 'paused' when n % 100 = 98 then 'blocked'
                else 'running' end,
           case when n % 100 = 99 then {OTHER} end, case when n % 100 between 55 and 89 then 0 else 1 end,
           case when n % 100 between 90 and 94 then {{schema}}.now() - interval '1 day'
                when n % 100 between 55 and 89 and n % 2 = 0
                then {{schema}}.now() + make_interval(hours => 1 + n % 999) end,
           {{schema}}.now() - make_interval(secs => {MILLION} - n), {{schema}}.now() - interval '1 h',
           case when n % 100 < 55 or n % 100 between 95 and 96 then {{schema}}.now() end,
           '\\x0123456789abcdef', '["ab", 4.5]', case when n % 100 < 55 then '{{"ok": true}}'::json end,
           case when n % 100 between 95 and 96 then '{{"type": "Declined"}}'::json end,
           case when n % 100 between 55 and 89 then '[{{"kind": "timer"}}]'::json end,
           case when n % 20 = 0 then {{schema}}.now() + interval '9 days' end,
           case when n % 100 = 97 then 100 else 0 end, case when n % 100 = 98 then 'digest' end
    from generate_series($1::integer, $2::integer) as n
"""
EVENTS: Final = f"""
    insert into {{schema}}.events (instance, seq, type, at, issued, trail, data)
    select {_KEY}, seq, case seq when 1 then 'step_started' else 'step_completed' end, {{schema}}.now(), 1, 99,
           '{{"command": 1, "step": "charge", "node": "node-22", "result": 1}}'
    from generate_series($1::integer, $2::integer) as n, generate_series(1, 2) as seq where n % 2 = 1
"""
INBOX: Final = f"""
    insert into {{schema}}.inbox (instance, number, kind, name, message, payload)
    select {_KEY}, number, 'signal', 'note', 'message-' || n || '-' || number, '1'
    from generate_series($1::integer, $2::integer) as n, generate_series(1, 100) as number where n % 100 = 97
"""
TASKS: Final = f"""
    insert into {{schema}}.tasks
        (instance, command, step, queue, available_at, attempt, asked_at, input, options, expires_at)
    select {_KEY}, command, 'render', 'unserved', {{schema}}.now() - interval '1 h', 1, {{schema}}.now(), '[1]', '{{}}',
           case when n % 10 = 1 then {{schema}}.now() + interval '1 day' end
    from generate_series($1::integer, $2::integer) as n, generate_series(1, 3) as command
    where n % 100 between 56 and 89
"""
PROGRESS: Final = f"""
    insert into {{schema}}.progress (instance, command, attempt, node, done, told_at)
    select {_KEY}, 1, 1, {OTHER}, 1, {{schema}}.now()
    from generate_series($1::integer, $2::integer) as n where n % 200 = 19
"""
LOGS: Final = f"""
    insert into {{schema}}.logs (instance, at, total, level, attempt, node, logger, step, message)
    select {_KEY}, {{schema}}.now(), 100 * m, 20 + 10 * (m % 2), 1, 'node-22', 'shop', 'charge', 'a line of the log'
    from generate_series($1::integer, $2::integer) as n, generate_series(1, 5) as m where n % 25 = 0
"""
CROWD: Final = (INSTANCES, EVENTS, INBOX, TASKS, PROGRESS, LOGS)

# What concerns this test's node, numbered from a million on: due instances of the three lanes, and its own.
FEW: Final = f"""
    insert into {{schema}}.instances
        (key, id, definition, status, owner, lane, wake_at, started_at, deadline, digest, input, mail, suspicion,
         suspect_of)
    select {_KEY}, 'few-' || n, 'order', case when owner is null and lane = 1 then 'pending' else 'running' end,
           owner, lane,
           case when owner is null then {{schema}}.now() - make_interval(secs => n % 60) end,
           case when owner is not null or lane <> 1 then {{schema}}.now() end,
           case when lane = 1 and n % 50 = 0 then {{schema}}.now() - interval '1 s' end, '\\x01', '[]',
           case when owner is null then 0 else 1 end, case when lane = 2 or n % 50 = 1 then 1 else 0 end,
           case when lane = 2 or n % 50 = 1 then {DEAD} end
    from generate_series(0, 2) as lane,
         lateral (select {MILLION} + 1 + lane * {OF_LANE} + m, null::integer from generate_series(0, {OF_LANE - 1}) as m
                  union all
                  select {MILLION} + 4 * {OF_LANE} + m, {ME} from generate_series(1, {MINE}) as m where lane = 0)
             as given (n, owner)
"""
FEW_MESSAGES: Final = f"""
    insert into {{schema}}.inbox (instance, number, kind, name, message, payload)
    select key, 1, case when right(id, 1) = '0' then 'cancel' else 'signal' end, 'note', 'm', '1'
    from {{schema}}.instances where owner = {ME}
"""
FEW_TASKS: Final = f"""
    insert into {{schema}}.tasks
        (instance, command, step, queue, available_at, attempt, asked_at, input, options, worker, started_at, lost,
         once, expires_at, expiry)
    select {_KEY}, 1, 'charge', 'default', {{schema}}.now() - interval '1 s', 1, {{schema}}.now(), '[1]', '{{}}',
           case when m % 5 = 1 then {ME} end, case when m % 5 = 1 then {{schema}}.now() end,
           case when m % 5 = 2 then {DEAD} end, m % 5 = 2,
           case when m % 5 = 3 then {{schema}}.now() - interval '1 s' end, case when m % 5 = 3 then '{{}}'::json end
    from generate_series(1, 1000) as m, lateral (select {MILLION} + m) as given (n)
"""
MINE_TOO: Final = (NODES, FEW, FEW_MESSAGES, FEW_TASKS)


async def prepare(rig: Rig) -> None:
    """Quick to fill, and never analysed unless the test says so."""
    for table in sorted(LARGE):
        await rig.rows(f"alter table {{schema}}.{table} set unlogged")
        await rig.rows(f"alter table {{schema}}.{table} set (autovacuum_enabled = false)")


async def crowd(rig: Rig, first: int, last: int) -> None:
    """The instances of these numbers, and what belongs to them."""
    for sql in CROWD:
        await rig.rows(sql, first, last)


async def without_indexes(rig: Rig) -> list[str]:
    """Drop the indexes of the large tables; returns what makes them anew."""
    made = []
    for table in sorted(LARGE):
        found: list[Any] = await rig.rows(
            "select i.indexrelid::regclass::text as index, pg_get_indexdef(i.indexrelid) as definition,"
            " c.conname as name, pg_get_constraintdef(c.oid) as key from pg_index as i"
            " left join pg_constraint as c on c.conindid = i.indexrelid and c.contype = 'p'"
            f" where i.indrelid = '{{schema}}.{table}'::regclass"
        )
        for row in found:
            if row["name"] is None:
                made.append(row["definition"])
                await rig.rows(f"drop index {row['index']}")
            else:
                made.append(f"alter table {{schema}}.{table} add constraint {row['name']} {row['key']}")
                await rig.rows(f"alter table {{schema}}.{table} drop constraint {row['name']}")
    return made


async def fill(rig: Rig, first: int) -> None:
    """The rest of the million, and fresh statistics, as autovacuum leaves them."""
    indexes = await without_indexes(rig)
    await crowd(rig, first, MILLION)
    await rig.rows("set maintenance_work_mem = '512MB'")
    for sql in indexes:
        await rig.rows(sql)
    for table in (*sorted(LARGE), "nodes", "definitions"):
        await rig.rows(f"vacuum analyze {{schema}}.{table}")
