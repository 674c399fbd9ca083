"""One workflow in memory: events in, commands out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final
from uuid import UUID

import msgspec

from orquestrax.base.logs import Names, origin
from orquestrax.model import events
from orquestrax.model.commands import Command, Finish, StartTimer, StepSpec
from orquestrax.model.events import Event
from orquestrax.replay import alike, logs, mismatch
from orquestrax.replay.ending import wind_down
from orquestrax.replay.eviction import evict
from orquestrax.replay.loop import Loop
from orquestrax.replay.machine import Machine
from orquestrax.replay.sites import NOWHERE, Site, waiting
from orquestrax.replay.tasks import CommandFuture, Task

_KINDS: Final = {"step": "step", "timer": "timer", "receive": "signal"}
_UNCHECKED: Final = frozenset({events.TERMINATED, events.TAKEN_OVER})  # written without running the code


class Identity(msgspec.Struct, frozen=True):
    """Which instance; `started_at` in microseconds since the epoch."""

    id: str
    key: UUID
    definition: str
    version: str
    started_at: int


class Turn(msgspec.Struct):
    """What came of the events since the last turn, each in the order of asking.

    commands   newly asked and still open; and the end
    abandoned  handed out in an earlier turn, and the code stopped waiting for them
    finish     the end, if it came
    """

    commands: list[Command]
    abandoned: list[Command]
    finish: Finish | None


class Wait(msgspec.Struct, frozen=True):
    """One thing that an instance waits for: kind (step, timer, signal), name, the line that asked, times in µs."""

    kind: str
    name: str
    file: str | None
    line: int | None
    since: int
    until: int | None


class Replay:
    """One workflow's memory. See the package's head for what it promises.

    `main` makes the coroutine of the workflow function; what it raises is the workflow's failure.
    """

    def __init__(
        self,
        identity: Identity,
        main: Callable[[], Coroutine[Any, Any, Any]],
        *,
        encode_result: Callable[[Any], bytes],
        encode_error: Callable[[BaseException], bytes],
    ) -> None:
        alike.install()
        logs.install()
        self.identity = identity
        self.names = Names(instance=identity.id)
        self.machine = Machine()
        self.loop = Loop(identity.id, identity.started_at, self.machine, self)
        self.open = self.machine.open
        self.finish: Finish | None = None
        self.ended = False
        self._main = main
        self._task: Task | None = None
        self._started = False
        self._streams: dict[str, Random] = {}
        self._encode_result = encode_result
        self._encode_error = encode_error

    @property
    def issued(self) -> int:
        """How many commands the code has asked for."""
        return self.machine.issued

    @property
    def trail(self) -> int:
        """The rolling CRC-32 over their kinds and names."""
        return self.machine.trail

    @property
    def now(self) -> int:
        """The time of the last applied event that drives code, in µs."""
        return self.loop.now

    @property
    def finished(self) -> bool:
        """Whether the code has ended."""
        return self.finish is not None

    @property
    def closed(self) -> bool:
        """Whether the instance was evicted."""
        return self.loop.closed

    @property
    def replaying(self) -> bool:
        """Set by the owner while it applies stored events: logs and reports are held back."""
        return self.loop.replaying

    @replaying.setter
    def replaying(self, value: bool) -> None:
        if self.loop.replaying and not value:
            self.loop.prune()
        self.loop.replaying = value

    # -- events in -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the main task at `identity.started_at` and run until idle."""
        if self._started:
            raise RuntimeError(f"{self.identity.id} was started before")
        self._started = True
        self.loop.context.run(origin.set, self)
        self.loop.call_soon(self._begin, context=self.loop.context)
        self.loop.run()

    def _begin(self) -> None:
        try:
            self._task = task = self.loop.make_task(self._main(), context=self.loop.context)
        except BaseException as error:  # noqa: BLE001 - the arguments do not fit, or it is no coroutine
            self._end("failed", self._encode_error, error)
        else:
            task.add_done_callback(self._main_done, context=self.loop.context)

    def apply(self, event: Event) -> None:
        """Apply one event and run until idle. NonDeterminism, with nothing changed, if the code does not fit it.

        Informational events are compared and change nothing. RuntimeError if the instance was closed or not started.
        """
        if self.loop.closed or not self._started:
            raise RuntimeError(f"{self.identity.id} is {'closed' if self.loop.closed else 'not started'}")
        try:
            data = events.decode(event)
        except KeyError:
            raise mismatch.unknown(event) from None
        if self.ended:
            raise mismatch.after_end(event, "already met its end")
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            if self.finish is not None:
                raise mismatch.after_end(event, f"ended as {self.finish.status}")
            handler(self, event, data)
            return
        if event.type in events.TERMINAL:
            self._terminal(event, data)
        elif event.type not in _UNCHECKED:
            self._check_informational(event, data)

    def _check(self, event: Event, data: Any) -> None:
        machine = self.machine
        if event.issued != machine.issued or event.trail != machine.trail:
            raise mismatch.compare(event, data, machine, self.waits_at())

    def _settle(self, event: Event, data: Any, kind: str, name: str) -> tuple[Any, Any]:
        """The command that this event resolves, and what to wake. The time moves."""
        machine = self.machine
        command = machine.open.get(data.command)
        if (
            event.issued != machine.issued
            or event.trail != machine.trail
            or command is None
            or command.kind != kind
            or command.name != name
        ):
            raise mismatch.compare(event, data, machine, self.waits_at())
        self._move(event)
        return machine.settle(data.command)

    def _move(self, event: Event) -> None:
        self.machine.before = self.machine.issued
        self.loop.now = event.at

    def _step_completed(self, event: Event, data: events.StepEnded) -> None:
        command, future = self._settle(event, data, "step", data.step)
        try:
            value = command.step.decode_result(bytes(data.result or b"null"))
        except Exception as error:  # noqa: BLE001 - the type has changed since: the code may handle it
            future.set_exception(error)
        else:
            future.set_result(value)
        self.loop.run()

    def _step_failed(self, event: Event, data: events.StepEnded) -> None:
        command, future = self._settle(event, data, "step", data.step)
        error = command.step.rebuild_error(bytes(data.error or b"null"))
        if isinstance(error, StopIteration):
            error = RuntimeError(f"step {data.step!r} raised StopIteration")
        future.set_exception(error)
        self.loop.run()

    def _timer_fired(self, event: Event, data: events.TimerFired) -> None:
        _, handle = self._settle(event, data, "timer", "")
        self.loop.ready.append(handle)
        self.loop.run()

    def _signal(self, event: Event, data: events.MessageReceived) -> None:
        self._check(event, data)
        self._move(event)
        number = self.machine.mailbox.put(data)
        if number is not None:
            _, future = self.machine.settle(number)
            future.set_result(data)
        self.loop.run()

    def _cancel(self, event: Event, data: events.MessageReceived) -> None:
        self._check(event, data)
        self._move(event)
        if self._task is not None:
            self._task.cancel()
        self.loop.run()

    def _terminal(self, event: Event, data: events.Ended) -> None:
        if event.type not in _UNCHECKED:
            if self.finish is None:
                raise mismatch.not_ended(event, self.waits_at(), self.machine)
            if self.finish.status != event.type:
                raise mismatch.after_end(event, f"ended as {self.finish.status}")
            self._check(event, data)
        self.ended = True

    def _check_informational(self, event: Event, data: Any) -> None:
        self._check(event, data)
        named = mismatch.label_of(event, data)
        if named is not None:
            number, label = named
            labels = self.machine.labels
            if not 1 <= number <= len(labels) or labels[number - 1] != label:
                raise mismatch.compare(event, data, self.machine, self.waits_at())

    # -- commands out ----------------------------------------------------------------------------------------------

    def take(self) -> Turn:
        """What came of the events since the last call."""
        commands, abandoned = self.machine.take()
        finish = commands[-1] if commands and isinstance(commands[-1], Finish) else None
        return Turn(commands, abandoned, finish)

    def ask_step(self, step: StepSpec, arguments: bytes, file: str | None, line: int | None) -> CommandFuture:
        """Ask for a step, from workflow code; the future gets what it returns or raises."""
        future = self._future()
        if not self.loop.closed:
            self.machine.ask_step(step, arguments, file, line, self.loop.now, future)
        return future

    def ask_signal(self, name: str, site: Site) -> CommandFuture:
        """Ask for a signal, from workflow code; the future gets its `MessageReceived`."""
        future = self._future()
        if not self.loop.closed:
            kept = self.machine.ask_signal(name, site, self.loop.now, future)
            if kept is not None:
                future.set_result(kept)
        return future

    def _future(self) -> CommandFuture:
        loop = self.loop
        future = CommandFuture(loop=loop)
        loop.number(future)
        future._timers = self.machine  # noqa: SLF001 - a slot, cheaper than a constructor
        future.command = 0
        return future

    def stream(self, name: str) -> Random:
        """A source of random numbers seeded from the key; one object per name."""
        if name not in self._streams:
            self._streams[name] = Random(f"{self.identity.key}/{name}")
        return self._streams[name]

    # -- the end ---------------------------------------------------------------------------------------------------

    def _main_done(self, _task: Task) -> None:
        self.loop.on_halt = self._wind_down

    def _wind_down(self) -> None:
        wind_down(self.loop, self._finish)

    def _finish(self) -> None:
        task = self._task
        assert task is not None
        if task.cancelled():
            self._end("cancelled", self._encode_error, asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            self._end("failed", self._encode_error, error)
        else:
            self._end("completed", self._encode_result, task.result())

    def _end(self, status: str, encode: Callable[[Any], bytes], outcome: Any) -> None:
        try:
            payload = encode(outcome)
        except Exception as error:  # noqa: BLE001 - a result that cannot be stored is a failure
            status, payload = "failed", self._encode_error(error)
        self.finish = self.machine.ask_end(status, payload, self.loop.now)
        self.loop.ready.clear()
        self.loop.forget_tasks()

    def unhandled(self) -> list[events.Unhandled]:
        """The signals that no code took, in order, as the terminal event lists them."""
        return [events.Unhandled("signal", m.name, m.message, m.payload) for m in self.machine.mailbox.left()]

    def close(self) -> None:
        """Evict: free the memory without any effect or output. Safe to call anywhere, any number of times."""
        if self.loop.closed:
            return
        self.loop.closed = True
        self.machine.clear()
        self.loop.within(lambda: evict(self.loop))
        self._task = None

    # -- why it does not move --------------------------------------------------------------------------------------

    def waits(self) -> list[Wait]:
        """What the code waits for, in the order of asking."""
        return [
            Wait(
                _KINDS[command.kind],
                command.name,
                command.file,
                command.line,
                command.asked_at,
                command.due if isinstance(command, StartTimer) else None,
            )
            for command in self.open.values()
        ]

    def waits_at(self) -> Site:
        """File and line of the workflow's source where its main task now waits."""
        return NOWHERE if self._task is None else waiting(self._task.get_coro())


_HANDLERS: Final[dict[str, Callable[[Replay, Event, Any], None]]] = {
    events.STEP_COMPLETED: Replay._step_completed,  # noqa: SLF001
    events.STEP_FAILED: Replay._step_failed,  # noqa: SLF001
    events.TIMER_FIRED: Replay._timer_fired,  # noqa: SLF001
    events.SIGNAL: Replay._signal,  # noqa: SLF001
    events.CANCEL: Replay._cancel,  # noqa: SLF001
}
