"""After the main task: cancel what still runs, wait until it is done, then finish; as `asyncio.run` does.

The cleanup of what is cancelled may ask for steps and timers; the end comes when they are through.
Asynchronous generators that were left half-used are closed last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from orquestrax.base.errors import WorkflowTimedOut
from orquestrax.model.commands import Finish
from orquestrax.replay.loop import Loop, half_used
from orquestrax.replay.tasks import Task


class Ending:
    """How a workflow ends: `finish` is the command, once there is one, `error` what it failed with.

    `late` is set when the whole run is over its time limit: a cancellation that comes through is that failure.
    """

    __slots__ = ("_encode_error", "_encode_result", "_loop", "error", "finish", "late")

    def __init__(
        self,
        loop: Loop,
        encode_result: Callable[[Any], bytes],
        encode_error: Callable[[BaseException], bytes],
    ) -> None:
        self._loop = loop
        self._encode_result = encode_result
        self._encode_error = encode_error
        self.finish: Finish | None = None
        self.error: BaseException | None = None
        self.late: WorkflowTimedOut | None = None

    def main_done(self, _main: asyncio.Future[Any]) -> None:
        """The main task is done; what is ready in this round still runs."""
        self._loop.on_halt = self._wind_down

    def _wind_down(self) -> None:
        loop = self._loop
        pending = loop.unfinished()
        if not pending and not _half_used(loop):
            self._finish()
            return
        for task in pending:
            task.cancel()
        loop.keeper = loop.make_task(self._wait_for_all(pending), context=loop.context.copy(), listed=False)

    async def _wait_for_all(self, pending: list[Task]) -> None:
        loop = self._loop
        while pending:
            await asyncio.gather(*pending, return_exceptions=True)
            _report(loop, pending)
            pending = loop.unfinished()  # made by the cleanup of the others
            for task in pending:
                task.cancel()
        for generator in _half_used(loop):
            await _close(loop, generator)
        loop.on_halt = self._finish

    def _finish(self) -> None:
        self._loop.context.run(self._encode_outcome)

    def _encode_outcome(self) -> None:
        main = self._loop.main
        assert main is not None
        if main.cancelled() and self.late is not None:
            self.failed(self.late)
        elif main.cancelled():
            self.cancelled()
        elif (error := main.exception()) is not None:
            self.failed(error)
        else:
            self.end("completed", self._encode_result, main.result())

    def failed(self, error: BaseException) -> None:
        """The main task failed, or could not even be made."""
        self.error = error
        self.end("failed", self._encode_error, error)

    def cancelled(self) -> None:
        """A cancellation came when no main task ran."""
        self.end("cancelled", self._encode_error, asyncio.CancelledError())

    def end(self, status: str, encode: Callable[[Any], bytes], outcome: Any) -> None:
        """Ask for the end; a result that cannot be encoded is a failure. Nothing runs any more."""
        try:
            payload = encode(outcome)
        except Exception as error:  # noqa: BLE001 - the user's types decide what is raised
            self.error = error
            status, payload = "failed", self._encode_error(error)
        loop = self._loop
        self.finish = loop.machine.ask_end(status, payload, loop.now)
        loop.ready.clear()
        loop.due.clear()
        loop.forget_tasks()


def _half_used(loop: Loop) -> list[AsyncGenerator[Any, Any]]:
    return [generator for generator in loop.generators if half_used(generator)]


def _report(loop: Loop, tasks: list[Task]) -> None:
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            message = f"task {task.get_name()!r} failed while the workflow ended"
            loop.call_exception_handler({"message": message, "exception": task.exception()})


async def _close(loop: Loop, generator: AsyncGenerator[Any, Any]) -> None:
    try:
        await generator.aclose()
    except BaseException as error:  # noqa: BLE001 - as asyncio.run does
        message = f"closing the asynchronous generator {generator!r} failed"
        loop.call_exception_handler({"message": message, "exception": error})
