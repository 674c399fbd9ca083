"""The death of nodes: declared through their fence, with everything they held freed in the same transaction.

A death *counts* against the instances that were running when it may have been theirs to cause: not when the process
lives on (frozen, cut off, hung), and not for those of which nothing can have been running, or that have made progress
since the last one. What that leads to is said in sql/free_instances.sql; a node that comes back alive has it taken back
(`absolve`).
"""

from __future__ import annotations

import logging
from typing import Literal

import asyncpg
import msgspec

from orquestrax.base import faultpoint
from orquestrax.core.store.database import CONNECTION_LOST, Address, connect, explain, within
from orquestrax.core.store.fence import TERMINATE_HOLDERS, TERMINATE_STEPS, Fence, commit
from orquestrax.core.store.statements import statement

log = logging.getLogger(__name__)

Cause = Literal["silent", "gone", "expired"]
"""Why a node counts as dead: its heartbeats stopped, its process is gone, or it came back as another incarnation."""


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """One declaration: what was freed, which instances were convicted (their ids), `silent` seconds since it beat."""

    fence: int
    name: str
    silent: float
    instances: int
    tasks: int
    convicted: list[str]


async def declare_dead(
    address: Address,
    space: int,
    fence: int,
    heartbeat: int | None,
    *,
    by: int | None = None,
    cause: Cause = "gone",
    counts: bool = True,
    patience: float = 2.0,
) -> Death | None:
    """Declare a node dead and free what it held; None if it has beaten, ended or been declared meanwhile.

    by      the fence of the node that says so
    counts  whether what it ran may have been the cause of it

    Takes the node's fence exclusively, so it waits for what is about to commit; ends holders that wait for their
    client, because nothing on the server would. Raises DatabaseError after three deadlines.
    """
    number = Fence(space, fence)
    connection = await connect(address, name="orquestrax declares")
    try:
        declaring = _declare(connection, number, address.schema, (heartbeat, by, cause), counts, patience)
        death = await within(connection, declaring, address.deadline * 3)
        if death is not None:  # what its steps have locked must not hold up those that run them anew
            ending = connection.fetch(TERMINATE_STEPS, number.steps_name)
            await within(connection, ending, address.deadline)
    except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
        raise explain(address.dsn, error) from error
    finally:
        connection.terminate()
    for id_ in death.convicted if death is not None else ():
        log.error("instance %s is blocked: each node that ran it died, and it was the only suspect", id_)
    return death


async def absolve(address: Address, fence: int) -> int:
    """This node was declared dead and lives: nothing that it held was the cause.

    Returns how many instances and steps had been suspected.

    Raises DatabaseError.
    """
    connection = await connect(address, name="orquestrax absolves")
    try:
        accused = 0
        for name in ("absolve", "absolve_tasks"):
            absolving = connection.fetch(statement(address.schema, name), fence)
            accused += len(await within(connection, absolving, address.deadline))
        return accused
    except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
        raise explain(address.dsn, error) from error
    finally:
        connection.terminate()


async def sweep(address: Address, space: int) -> int:
    """Free what owners that are not alive still hold; returns how many of them there were. Raises DatabaseError."""
    connection = await connect(address, name="orquestrax sweeps")
    try:
        finding = connection.fetch(statement(address.schema, "lost_owners"))
        lost = [row["fence"] for row in await within(connection, finding, address.deadline)]
        for fence in lost:
            log.warning("node %d is not alive and still held something: it is free now", fence)
            freeing = _free_lost(connection, Fence(space, fence), address.schema)
            await within(connection, freeing, address.deadline)
    except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
        raise explain(address.dsn, error) from error
    finally:
        connection.terminate()
    return len(lost)


async def _declare(
    connection: asyncpg.Connection,
    number: Fence,
    schema: str,
    row: tuple[int | None, int | None, Cause],
    counts: bool,
    patience: float,
) -> Death | None:
    while True:
        try:
            await number.begin_exclusive(connection, patience=patience)
            return await _end_dead(connection, number.number, schema, row, counts)
        except asyncpg.LockNotAvailableError:
            await connection.execute("rollback")
            await connection.fetch(TERMINATE_HOLDERS, number.space, number.number)


async def _end_dead(
    connection: asyncpg.Connection,
    fence: int,
    schema: str,
    row: tuple[int | None, int | None, Cause],
    counts: bool,
) -> Death | None:
    """In new statements, whose snapshots are younger than the lock."""
    dead = await connection.fetchrow(statement(schema, "declare_node"), fence, *row)
    death = None
    if dead is not None:
        instances, tasks = await _free(connection, fence, schema, counts)
        await connection.fetch(statement(schema, "count_freed"), fence, len(instances), tasks)
        death = Death(
            fence=fence,
            name=dead["name"],
            silent=dead["silent"] / 1_000_000,
            instances=len(instances),
            tasks=tasks,
            convicted=[each["id"] for each in instances if each["convicted"]],
        )
    faultpoint.reach("declare.before_commit")
    await commit(connection)
    return death


async def _free_lost(connection: asyncpg.Connection, number: Fence, schema: str) -> None:
    await number.begin_exclusive(connection)
    await _free(connection, number.number, schema, counts=False)
    await commit(connection)


async def _free(
    connection: asyncpg.Connection, fence: int, schema: str, counts: bool
) -> tuple[list[asyncpg.Record], int]:
    """The instances that were freed, and how many tasks."""
    instances = await connection.fetch(statement(schema, "free_instances"), fence, counts)
    suspects = [row["key"] for row in instances if row["suspect"]]
    tasks = await connection.execute(statement(schema, "free_tasks"), fence, counts, suspects)
    return instances, int(tasks.rsplit(" ", 1)[1])
