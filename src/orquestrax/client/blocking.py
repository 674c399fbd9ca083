"""The client for Django, Flask and scripts: the same, blocking.

    with ox.connect_sync() as client:
        run = client.start(fulfil, order, id="order-42")
        print(run.result())

A thin shell: an event loop in a thread of its own runs the client, and each call here waits for one there. It
may be used from several threads. It does not survive a fork: a child opens its own.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, overload

from typing_extensions import TypeVarTuple, Unpack

from orquestrax.client.client import Client
from orquestrax.client.connect import connect
from orquestrax.client.handle import Run
from orquestrax.client.logs import LogEntry
from orquestrax.client.loopthread import LoopThread
from orquestrax.client.progress import StepProgress
from orquestrax.client.views import HistoryEvent, RunStatus

Ts = TypeVarTuple("Ts")
R = TypeVar("R")


@contextmanager
def connect_sync(database: str | None = None, *, namespace: str | None = None) -> Iterator[BlockingClient]:
    """A blocking client for as long as the block runs; arguments and errors as `ox.connect`.

    Raises BlockingCall where an event loop runs, because it would stop that.
    """
    with LoopThread() as loop:
        opening = connect(database, namespace=namespace)
        client = loop.wait(opening.__aenter__())
        try:
            yield BlockingClient(client, loop)
        finally:
            loop.wait(opening.__aexit__(None, None, None))


class BlockingClient:
    """Made by `ox.connect_sync()`. Its methods are those of `Client`, and wait for their answer."""

    def __init__(self, client: Client, loop: LoopThread) -> None:
        self._client, self._loop = client, loop

    def start(
        self,
        workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]],
        /,
        *args: *Ts,
        id: str | None = None,
        priority: int = 2,
    ) -> BlockingRun[R]:
        """Start an instance, or find the one that the same call has started before; see `Client.start`."""
        run = self._loop.wait(self._client.start(workflow, *args, id=id, priority=priority))
        return BlockingRun(run, self._loop)

    @overload
    def get(self, id: str, workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]]) -> BlockingRun[R]: ...
    @overload
    def get(self, id: str) -> BlockingRun[Any]: ...
    def get(self, id: str, workflow: Any = None) -> BlockingRun[Any]:
        """A handle to what exists; with the workflow its result is typed. Raises NotFound."""
        return BlockingRun(self._loop.wait(self._client.get(id, workflow)), self._loop)

    def list(
        self,
        *,
        status: str | Sequence[str] | None = None,
        definition: str | None = None,
        search: str | None = None,
        limit: int = 50,
    ) -> builtins.list[RunStatus]:
        """Instances, newest first; `search` is how the id begins, for the newest 10,000 any part of it."""
        return self._loop.wait(
            self._client.list(status=status, definition=definition, search=search, limit=limit)
        )


class BlockingRun(Generic[R]):
    """An instance, as somebody outside of it sees it; its methods are those of `Run`, and wait."""

    def __init__(self, run: Run[R], loop: LoopThread) -> None:
        self._run, self._loop = run, loop
        self.key, self.id, self.definition = run.key, run.id, run.definition

    def __repr__(self) -> str:
        return repr(self._run)

    def result(self, timeout: float | None = None) -> R:
        """Wait for the end and return what the workflow returned; see `Run.result`."""
        return self._loop.wait(self._run.result(timeout))

    def status(self) -> RunStatus:
        """How it stands now. Raises NotFound if it is not there any more."""
        return self._loop.wait(self._run.status())

    def history(self) -> list[HistoryEvent]:
        """Everything that has happened to it; the first event, seq 0, is its start."""
        return self._loop.wait(self._run.history())

    def logs(
        self, *, after: int = 0, level: str = "DEBUG", step: str | None = None, limit: int = 1_000
    ) -> list[LogEntry]:
        """What its workflow and steps have logged, oldest first; see `Run.logs`."""
        return self._loop.wait(self._run.logs(after=after, level=level, step=step, limit=limit))

    def progress(self) -> list[StepProgress]:
        """How far its running steps are; see `Run.progress`."""
        return self._loop.wait(self._run.progress())

    def signal(self, name: str, value: Any = None, *, message_id: str | None = None) -> None:
        """Send a signal; `message_id` makes sending it again harmless. See `Run.signal`."""
        self._loop.wait(self._run.signal(name, value, message_id=message_id))

    def cancel(self, reason: str = "", *, message_id: str | None = None) -> None:
        """Ask it to end: its code gets a CancelledError where it waits, and may clean up."""
        self._loop.wait(self._run.cancel(reason, message_id=message_id))

    def terminate(self, reason: str = "", *, message_id: str | None = None) -> None:
        """End it at once: none of its code runs any more."""
        self._loop.wait(self._run.terminate(reason, message_id=message_id))

    def pause(self, reason: str = "", *, message_id: str | None = None) -> None:
        """Let nothing of it start until `resume`; see `Run.pause`."""
        self._loop.wait(self._run.pause(reason, message_id=message_id))

    def resume(self, reason: str = "", *, message_id: str | None = None) -> None:
        """Let it go on; see `Run.resume`."""
        self._loop.wait(self._run.resume(reason, message_id=message_id))
