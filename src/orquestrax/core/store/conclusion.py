"""How the transaction of a transactional step begins and ends, whatever library carries it.

    begin; guard                     the step's own connection; from here on a COMMIT of the body is refused
    … the body …                     holds no lock of the engine
    unguard                          the body has left the transaction open
    fence, then claim and result     the result is a message to the instance
    commit                           its tag must be COMMIT

Nothing here talks to a database: statements go out, rows come in, so that coroutines and threads do the same. Where
the outcome of the COMMIT is not known, `Looker` waits until the old backend has ended and reads what is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Sequence
from typing import Any, Final
from uuid import UUID

from orquestrax.base.errors import Fenced, TransactionEnded
from orquestrax.core.store.database import Address, connect, within
from orquestrax.core.store.fence import LOCKING, Fence, commit
from orquestrax.core.store.statements import statement

log = logging.getLogger(__name__)
AGAIN: Final = 0.25  # seconds between attempts to read an outcome

Rows = Sequence[Any]
Asked = tuple[str, tuple[Any, ...]]
Steps = Generator[Asked, Rows, None]


class Conclusion:
    """The statements of one attempt of a step. Its message is keyed by the command: there is one result at most.

    `claimed` is the number of the attempt if it was taken from a queue: then the task is the claim, and not the
    instance's row.
    """

    def __init__(
        self,
        fence: Fence,
        schema: str,
        instance: UUID,
        command: int,
        step: str,
        *,
        claimed: int | None = None,
    ) -> None:
        self._fence, self._schema = fence, schema
        self.instance, self.command, self._step = instance, command, step
        self._claimed = claimed
        self.message = f"step {instance}:{command}"

    def guard(self) -> Asked:
        """What to run first of all."""
        return statement(self._schema, "guard_transaction"), (self.instance, self.command)

    def conclude(self, payload: str) -> Steps:
        """What to run between the body and COMMIT. Raises TransactionEnded; Fenced if the step is not this node's."""
        ours = yield statement(self._schema, "unguard_transaction"), (self.instance, self.command)
        if not ours:
            raise TransactionEnded(
                f"step {self._step!r} has ended its transaction by itself (COMMIT or ROLLBACK): leave that to the "
                "engine, and raise an exception to have everything rolled back"
            )
        yield LOCKING.format(space=self._fence.space, fence=self._fence.number), ()
        result = (self._fence.number, self.instance, self.message, self._step, payload)
        if self._claimed is None:
            written = yield statement(self._schema, "step_result"), result
        else:
            task = (*result, self.command, self._claimed)
            written = yield statement(self._schema, "task_result"), task
        if not written:
            raise Fenced(f"step {self._step!r} is not this node's any more: its transaction is rolled back")


class Looker:
    """Finds out whether a transaction of unknown outcome was committed."""

    def __init__(self, address: Address, fence: Fence) -> None:
        self._address, self._fence = address, fence
        self.closed = False

    async def committed(self, conclusion: Conclusion) -> bool:
        """Whether the result is there, however long it takes to know. Raises Fenced if this node was declared dead."""
        while not self.closed:
            try:
                return await self._look(conclusion)
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known yet
                log.warning("cannot read the outcome of a transactional step yet: %s", error)
                await asyncio.sleep(AGAIN)
        raise Fenced("this node ends: the outcome of the step is for its successor to read")

    async def _look(self, conclusion: Conclusion) -> bool:
        connection = await connect(self._address, name="orquestrax looks")
        try:
            return await within(connection, self._read(connection, conclusion), self._address.deadline)
        finally:
            connection.terminate()

    async def _read(self, connection: Any, conclusion: Conclusion) -> bool:
        """With the fence exclusively: no backend that may still be about to commit is left then."""
        await self._fence.begin_exclusive(connection)
        await self._fence.check(connection, self._address.schema)
        there = await connection.fetchval(
            statement(self._address.schema, "step_result_there"),
            conclusion.instance,
            conclusion.message,
            conclusion.command,
        )
        await commit(connection)
        return bool(there)
