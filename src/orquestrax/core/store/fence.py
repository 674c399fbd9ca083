"""The fence: a node that has been declared dead can never write again.

Every transaction that writes as a node begins, in one round trip, by taking a shared advisory lock on the node's
number; every later write in it carries `exists (select from nodes where fence = me and status = 'alive')`. Declaring
a node dead takes the same lock exclusively first, so it waits for whatever is about to commit, and then sets the
status in a new statement. Lock and check never share a statement: its snapshot is older than the lock, and a zombie
would pass; for the same reason the isolation level is always READ COMMITTED, whatever the database's default, because
any other keeps the first snapshot for the whole transaction. Row locks are no alternative: `for share` on the node's
row starves the node's own heartbeat.
"""

from __future__ import annotations

import asyncpg

from orquestrax.base.errors import Fenced
from orquestrax.core.store.statements import statement

# What a node writes it finds by key. A plan that was made while the tables were empty, and is kept with its statement,
# would read them whole until the first ANALYZE: so no plan may (4.1 against 2.1 ms for a start, 6,000 instances on).
# Where a plan must all the same it counts as expensive, and would be compiled: our connections have that off, but not
# those behind a pooler, which have no settings of their own, nor those of transactional steps, which are the user's.
PLANS = "set local enable_seqscan = off; set local jit = off; "
LOCKING = (
    "set local idle_in_transaction_session_timeout = '3s'; set local lock_timeout = '2s'; "
    + PLANS
    + "select pg_advisory_xact_lock_shared({space}, {fence})"
)
OPENING = "begin isolation level read committed; " + LOCKING
EXCLUSIVE = (
    "begin isolation level read committed; "
    "set local idle_in_transaction_session_timeout = '3s'; set local lock_timeout = '{patience}ms'; "
    + PLANS
    + "select pg_advisory_xact_lock({space}, {fence})"
)
# Holders that wait for their client, so that nothing on the server will ever end them: frozen or cut off while
# idle in the transaction, or while receiving a result. One that waits for a synchronous standby is left alone.
TERMINATE_HOLDERS = """
    select pg_terminate_backend(l.pid)
    from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
    where l.locktype = 'advisory' and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = ($1::bigint + case when $1 < 0 then 4294967296 else 0 end)::oid and l.objid = $2::oid
      and l.objsubid = 2 and l.granted and l.pid <> pg_backend_pid()
      and (a.state like 'idle in transaction%' or (a.state = 'active' and a.wait_event_type = 'Client'))
"""


# Transactions of steps: until they conclude they hold no lock of ours, but maybe many of the user's.
TERMINATE_STEPS = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = $1 and pid <> pg_backend_pid()
"""


class RolledBack(Exception):
    """COMMIT was answered with something else: an error had been swallowed and nothing was written."""


class FenceHeld(TimeoutError):
    """A transaction of this node could not begin: somebody holds its fence exclusively. Nothing has been written."""


class Fence:
    """What one incarnation needs to write: the lock space of its schema and its own number.

    `steps_name` is how the server knows the connections of its transactional steps.
    """

    def __init__(self, space: int, number: int) -> None:
        self.space, self.number = space, number
        self._opening = OPENING.format(space=space, fence=number)
        self.steps_name = f"orquestrax step {space} {number}"

    async def begin(self, connection: asyncpg.Connection) -> None:
        """Open a transaction as this node. Raises FenceHeld after `lock_timeout`."""
        try:
            await connection.execute(self._opening)
        except asyncpg.LockNotAvailableError as error:
            raise FenceHeld(f"the fence of node {self.number} is held: {error}") from error

    async def begin_exclusive(self, connection: asyncpg.Connection, *, patience: float = 2.0) -> None:
        """Open a transaction that waits until every open transaction of this node has ended.

        Raises asyncpg.LockNotAvailableError after `patience` seconds.
        """
        await connection.execute(
            EXCLUSIVE.format(space=self.space, fence=self.number, patience=int(patience * 1000))
        )

    async def check(self, connection: asyncpg.Connection, schema: str) -> None:
        """Raise Fenced if this node has been declared dead. Must follow `begin`, in a statement of its own."""
        if not await connection.fetchval(statement(schema, "is_alive"), self.number):
            raise Fenced(f"node {self.number} was declared dead: what it still held goes on elsewhere")


async def commit(connection: asyncpg.Connection) -> None:
    """COMMIT, and believe only its tag: after a swallowed error the server answers ROLLBACK without any error."""
    tag = await connection.execute("commit")
    if tag != "COMMIT":
        raise RolledBack(f"COMMIT was answered with {tag}")
