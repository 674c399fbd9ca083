"""What a node asks of the database beside its journal: claim, read, register, end. Each verb is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from orquestrax.core.store.database import Database
from orquestrax.core.store.fence import commit
from orquestrax.core.store.held import Held
from orquestrax.model.events import Event
from orquestrax.model.rows import History, InstanceRow, Message


class NodeStore(Held):
    """The verbs of one incarnation over one held connection; callers take turns."""

    name = "orquestrax claims"

    async def claim(self, definitions: Mapping[str, str], room: Mapping[int, int]) -> list[InstanceRow]:
        """Take due instances, lane by lane in the order of their numbers.

        definitions  digests of the code here by name
        room         by lane: how many there may be once that lane's are added
        """
        names, digests, rooms = list(definitions), list(definitions.values()), list(room.values())
        rows = await self._fenced("claim_due", names, list(room), rooms, digests, max(rooms))
        return [_row(row) for row in rows]

    async def claim_due(self, definitions: Mapping[str, str], lane: int, limit: int) -> list[InstanceRow]:
        """Take up to `limit` due instances of one lane."""
        return await self.claim(definitions, {lane: limit})

    async def claim_orders(self, limit: int) -> list[InstanceRow]:
        """Take instances without an owner that are to end without running code."""
        return [_row(row) for row in await self._fenced("claim_orders", limit)]

    async def claim_overdue(self, limit: int) -> list[InstanceRow]:
        """Take instances without an owner that are out of time and that no code will look after."""
        return [_row(row) for row in await self._fenced("claim_overdue", limit)]

    async def owned(self) -> list[InstanceRow]:
        """Every row that says it is mine, read while no other transaction of this node is open."""
        async with self._connected() as connection:
            await self.fence.begin_exclusive(connection)
            await self.fence.check(connection, self._address.schema)
            rows = await connection.fetch(self._sql("owned"), self.fence.number)
            await commit(connection)
            return [_row(row) for row in rows]

    async def histories(self, keys: Sequence[UUID]) -> dict[UUID, History]:
        """Events, tasks and inbox of these instances, in one statement."""
        found = {key: History() for key in keys}
        for row in await self._read("histories", list(keys)):
            _add(found[row["instance"]], row)
        return found

    async def mail(self) -> tuple[list[Message], int | None]:
        """Messages to my instances that are not history yet, and the database's time if there was any."""
        rows = await self._read("mail_of_node", self.fence.number)
        messages = [
            Message(
                instance=row["instance"],
                number=row["number"],
                kind=row["kind"],
                name=row["name"],
                message=row["message"],
                payload=row["payload"],
            )
            for row in rows
        ]
        return messages, rows[0]["now"] if rows else None

    async def wake_blocked(self, digests: Iterable[tuple[str, str]]) -> None:
        """Let instances go on that other code of these (definition, digest) could not continue."""
        for definition, digest in digests:
            await self._read("wake_blocked", definition, digest)

    async def clear_suspicion(self, keys: Sequence[UUID]) -> None:
        """These instances have lived here long enough: the deaths of the nodes before were not theirs."""
        await self._fenced("clear_suspicion", list(keys))

    async def dead(self, fences: Iterable[int]) -> dict[int, tuple[str, int]]:
        """Names and last signs of life of these nodes."""
        return {
            row["fence"]: (row["name"], row["seen_at"]) for row in await self._read("dead_nodes", [*fences])
        }

    async def took_over(self, taken: Mapping[int, int]) -> None:
        """Note how many more instances of which dead nodes go on here."""
        await self._fenced("note_takeovers", list(taken), list(taken.values()))

    async def release(self) -> None:
        """A clean stop: what is mine is due for others at once, and this incarnation ends."""
        async with self._connected() as connection:
            await self.fence.begin_exclusive(connection)
            await connection.fetch(self._sql("release_instances"), self.fence.number)
            await connection.fetch(self._sql("free_tasks"), self.fence.number, False, [])
            await connection.fetch(self._sql("end_node"), self.fence.number, "stopped", None)
            await commit(connection)


async def register_node(database: Database, **columns: Any) -> tuple[int, int]:
    """Insert this process start; returns its fence and the database's time."""
    rows = await database.fetch("register_node", *columns.values())
    return rows[0]["fence"], rows[0]["now"]


def _row(row: asyncpg.Record) -> InstanceRow:
    return InstanceRow(**dict(row))


def _add(history: History, row: asyncpg.Record) -> None:
    """One row of the combined statement to where it belongs."""
    if row["kind"] == 0:
        event = Event(row["number"], row["name"], row["at"], row["issued"], row["trail"], row["payload"])
        history.events.append(event)
    elif row["kind"] == 1:
        history.queued.add(row["number"])
    elif row["kind"] == 3:  # noqa: PLR2004 - as the statement numbers them
        history.heartbeats[row["number"]] = row["payload"]
    else:
        message = Message(
            instance=row["instance"],
            number=row["number"],
            kind=row["name"],
            name=row["topic"],
            message=row["message"],
            payload=row["payload"],
        )
        history.messages.append(message)
