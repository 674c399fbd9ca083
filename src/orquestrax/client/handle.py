"""A handle to an instance: its result, status and history, and the messages one can send it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID, uuid4

import msgspec

from orquestrax.base.codec import ANY, Codec
from orquestrax.base.errors import (
    NotFound,
    OrquestraxError,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowTerminated,
    WorkflowTimedOut,
)
from orquestrax.base.ids import check_text
from orquestrax.client.logs import LogEntry
from orquestrax.client.progress import StepProgress
from orquestrax.client.views import Ending, HistoryEvent, RunStatus
from orquestrax.core.store.clientverbs import InstanceView, Order

R = TypeVar("R")


class Sender(Protocol):
    """What a handle asks of the client that made it."""

    async def wait_ended(self, key: UUID) -> Ending:
        """Wait for the end of an instance."""

    async def view(self, id: str) -> InstanceView:
        """The row of an instance. Raises NotFound."""

    async def history(self, id: str) -> list[HistoryEvent]:
        """The history of an instance. Raises NotFound."""

    async def logs(
        self, id: str, *, after: int = 0, level: str = "DEBUG", step: str | None = None, limit: int = 1_000
    ) -> list[LogEntry]:
        """What an instance has logged. Raises NotFound, InvalidInput."""

    async def progress(self, id: str) -> list[StepProgress]:
        """How far its running steps are. Raises NotFound."""

    async def send(self, order: Order) -> None:
        """Send a message and hint its receiver."""


class Run(Generic[R]):
    """An instance, as somebody outside of it sees it. Made by `client.start` and `client.get`."""

    def __init__(
        self, client: Sender, key: UUID, id_: str, definition: str, decode: Callable[[bytes | str], Any]
    ) -> None:
        self._client, self._decode = client, decode
        self.key, self.id, self.definition = key, id_, definition

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.definition}>"

    async def result(self, timeout: float | None = None) -> R:  # noqa: ASYNC109 - the public name
        """Wait for the end and return what the workflow returned.

        Raises WorkflowFailed, WorkflowCancelled, WorkflowTerminated; TimeoutError after `timeout` seconds, which
        leaves the instance alone.
        """
        waiting = self._client.wait_ended(self.key)
        ending = await (waiting if timeout is None else asyncio.wait_for(waiting, timeout))
        result: R = self._conclude(ending)
        return result

    async def status(self) -> RunStatus:
        """How it stands now. Raises NotFound if it is not there any more."""
        return RunStatus.of(await self._client.view(self.id))

    async def history(self) -> list[HistoryEvent]:
        """Everything that has happened to it; the first event, seq 0, is its start."""
        return await self._client.history(self.id)

    async def logs(
        self, *, after: int = 0, level: str = "DEBUG", step: str | None = None, limit: int = 1_000
    ) -> list[LogEntry]:
        """What its workflow and steps have logged, oldest first: at INFO and above, 1 MB at most, best effort.

        after  the `number` of the last record of the page before
        level  the least level
        step   only of this step, "-" for the workflow itself

        Raises InvalidInput if there is no such level.
        """
        return await self._client.logs(self.id, after=after, level=level, step=step, limit=limit)

    async def progress(self) -> list[StepProgress]:
        """How far its running steps are, in their order: of those that say so by `ox.progress` or `ox.heartbeat`."""
        return await self._client.progress(self.id)

    async def signal(self, name: str, value: Any = None, *, message_id: str | None = None) -> None:
        """Send a signal; `message_id` makes sending it again harmless.

        Raises InstanceEnded if the instance has ended, PayloadError if the value cannot be encoded.
        """
        check_text(name, "a signal's name")
        await self._send("signal", name, ANY.encode(value), message_id)

    async def cancel(self, reason: str = "", *, message_id: str | None = None) -> None:
        """Ask it to end: its code gets a CancelledError where it waits, and may clean up."""
        await self._send("cancel", "", ANY.encode(reason), message_id)

    async def terminate(self, reason: str = "", *, message_id: str | None = None) -> None:
        """End it at once: none of its code runs any more."""
        await self._send("terminate", "", ANY.encode(reason), message_id)

    async def pause(self, reason: str = "", *, message_id: str | None = None) -> None:
        """Let nothing of it start: steps that run may end, and all else waits for `resume`.

        Raises InstanceEnded, and InvalidState if it is blocked, so that nothing of it runs anyway.
        """
        await self._send("pause", "", ANY.encode(reason), message_id)

    async def resume(self, reason: str = "", *, message_id: str | None = None) -> None:
        """Let it go on: what came and fell due meanwhile happens now. Raises InstanceEnded, InvalidState."""
        await self._send("resume", "", ANY.encode(reason), message_id)

    async def _send(self, kind: str, name: str, payload: bytes, message_id: str | None) -> None:
        message = message_id or str(uuid4())
        await self._client.send(
            Order(instance=self.key, kind=kind, name=name, message=message, payload=payload)
        )

    def _conclude(self, ending: Ending) -> Any:
        if ending.status == "completed":
            return self._decode(ending.result or b"null")
        if ending.status == "cancelled":
            raise WorkflowCancelled(f"{self.id} was cancelled")
        if ending.status == "terminated":
            raise WorkflowTerminated(f"{self.id} was terminated")
        raise failure(self.id, ending.error)


def failure(id_: str, error: bytes | str | None) -> OrquestraxError:
    """The stored error of a failed instance as an exception."""
    stored = msgspec.json.decode(error) if error else {}
    kind, message = stored.get("type", ""), stored.get("message", "")
    cause = failure(id_, msgspec.json.encode(stored["cause"])) if stored.get("cause") else None
    if kind == WorkflowTimedOut.__name__:
        return WorkflowTimedOut(f"{id_}: {message}", cause=cause)
    text = f"{id_} failed: {kind}: {message}" if kind else f"{id_} failed"
    return WorkflowFailed(text, type=kind, traceback=stored.get("traceback", ""), cause=cause)


def decoder_of(workflow: Any) -> Callable[[bytes | str], Any]:
    """How to decode the result of a workflow; without one, plain JSON."""
    if workflow is None:
        return ANY.decode
    codec: Codec[Any] = workflow.signature.result
    return codec.decode


def not_found(id_: str) -> NotFound:
    """The error for an id that nothing has."""
    return NotFound(f"there is no instance with the id {id_!r}: `orquestrax list` shows what there is")
