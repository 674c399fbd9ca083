"""One workflow in memory: events in, commands out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from random import Random
from typing import Any

import msgspec

from orquestrax.base.errors import WorkflowTimedOut
from orquestrax.base.logs import Names, origin
from orquestrax.model import events
from orquestrax.model.commands import Decoded, Finish, StartTimer, StepSpec
from orquestrax.model.events import Event
from orquestrax.replay import alike, mismatch, quiet
from orquestrax.replay.attempts import WHOLE_RUN, resume
from orquestrax.replay.driving import DRIVERS
from orquestrax.replay.ending import Ending
from orquestrax.replay.eviction import evict
from orquestrax.replay.loop import Loop, require_callback
from orquestrax.replay.machine import Machine
from orquestrax.replay.sites import Site
from orquestrax.replay.tasks import CommandFuture
from orquestrax.replay.turns import Identity, Turn, Wait

__all__ = ["Identity", "Replay", "Turn", "Wait"]


class Replay:
    """One workflow's memory. The package's head says what it promises.

    `main` makes the coroutine of the workflow function; what it raises is the workflow's failure, too.
    `machine` and `loop` are for this package; they change with each attempt.
    `open` holds the commands that are neither resolved nor abandoned, by number. `attempt` counts from 1.
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
        quiet.install()
        self.identity = identity
        self.names = Names(instance=identity.id)
        self.attempt = 1
        self._encoders = encode_result, encode_error
        self._main = main
        self._started = self._ended = False
        self._open_epoch(Machine(), identity.started_at)

    def _open_epoch(self, machine: Machine, at: int) -> None:
        """Everything that code can reach, made anew; the code has not begun."""
        self.machine, self.open = machine, machine.open
        self.loop = Loop(self.identity.id, at, machine, self)
        self._ending = Ending(self.loop, *self._encoders)
        self._streams: dict[str, Random] = {}

    # -- what it is and where it stands --

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
        """The time of the last event that drove code, in microseconds since the epoch."""
        return self.loop.now

    @property
    def finish(self) -> Finish | None:
        """The last command, once the code has ended."""
        return self._ending.finish

    @property
    def finished(self) -> bool:
        """Whether the code has ended."""
        return self._ending.finish is not None

    @property
    def error(self) -> BaseException | None:
        """What the code failed with, once it has."""
        return self._ending.error

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
        if not value:
            self.loop.prune()
        self.loop.replaying = value

    # -- events in --

    def start(self) -> None:
        """Begin the main task at `identity.started_at` and run until idle."""
        if self._started or self.closed:
            raise RuntimeError(f"{self.identity.id!r} was {'closed' if self.closed else 'started'} before")
        require_callback()
        self._started = True
        self.begin()

    def begin(self) -> None:
        """Run the main task of this epoch from its beginning."""
        loop = self.loop
        loop.context.run(origin.set, self)
        loop.call_soon(self._begin, context=loop.context)
        loop.run()

    def _begin(self) -> None:
        loop = self.loop
        try:
            loop.main = main = loop.make_task(self._main(), context=loop.context)
        except BaseException as error:  # noqa: BLE001 - the input does not fit, or it made no coroutine
            self._ending.failed(error)
        else:
            main.add_done_callback(self._ending.main_done, context=loop.context)

    def stamp(self, seq: int, type_: str, at: int, data: msgspec.Struct) -> Event:
        """What has just happened, as an event: with how many commands the code had asked for by then."""
        machine = self.machine
        return Event(seq, type_, at, machine.issued, machine.trail, events.encode(data))

    def apply(self, event: Event, data: Any = None, value: Any = msgspec.UNSET) -> None:
        """Apply one event and run until idle. NonDeterminism, and nothing changed, if the code does not fit.

        Informational events are only compared. `data` is the event's as a struct, from who has just encoded it;
        `value` the decoded result of a step_completed, which nobody else may hold.
        RuntimeError if the instance was closed or not started, or within a task of the host.
        """
        if self.loop.closed or not self._started:
            raise RuntimeError(f"{self.identity.id!r} {'was closed' if self.closed else 'is not started'}")
        if data is None:
            try:
                data = events.decode(event)
            except KeyError:
                raise mismatch.unknown(event) from None
        if self._ended:
            raise mismatch.after_end(event)
        driver = DRIVERS.get(event.type)
        if driver is None:
            whole = WHOLE_RUN.get(event.type)
            self._note(event, data) if whole is None else whole(self, event, data)
        elif self._ending.finish is not None:
            raise mismatch.ended(event, self._ending.finish)
        else:
            require_callback()
            driver(self.loop, event, data, value)

    def _note(self, event: Event, data: Any) -> None:
        """An event that runs no code. Some may come at any time, from who never ran this code."""
        if event.type in events.STEERING:
            return
        if event.type != events.TERMINATED and not (event.type in events.TERMINAL and data.unrun):
            finish = self._ending.finish
            if event.type in events.TERMINAL:
                if finish is None:
                    raise mismatch.not_ended(event, self.machine, self.waits_at())
                if finish.status != event.type:
                    raise mismatch.ended(event, finish)
            mismatch.check(event, data, self.machine, self.waits_at)
        self._ended = event.type in events.TERMINAL

    # -- the whole run: see `attempts` --

    def resume_at(self, event: Event, earlier: Iterable[Event]) -> None:
        """In place of `start` and all events before: stand where this attempt_failed, the newest, has led to."""
        if self._started or self.closed:
            raise RuntimeError(f"{self.identity.id!r} was {'closed' if self.closed else 'started'} before")
        require_callback()
        self._started = True
        resume(self, event, earlier)

    def next_epoch(self, event: Event, attempt: int, kept: Iterable[events.MessageReceived]) -> None:
        """Let go of what ran before; what comes is numbered on from this event, and has not begun."""
        self.loop.closed = True
        self.machine.clear()
        self.loop.within(partial(evict, self.loop))
        self.loop.let_go()
        replaying = self.loop.replaying
        self._open_epoch(Machine(event.issued, event.trail), event.at)
        self.loop.replaying, self.attempt = replaying, attempt
        for signal in kept:
            self.machine.mailbox.put(signal)

    @property
    def resting(self) -> bool:
        """Whether it stands between two attempts."""
        return self._started and self.loop.main is None and self._ending.finish is None

    def cancelled_between(self) -> None:
        """A cancellation between two attempts: there is no code to tell."""
        self._ending.cancelled()

    def time_out(self, error: WorkflowTimedOut) -> None:
        """The whole run is over its time limit: cancel the code; what comes of that is its end."""
        if self.loop.main is None:
            self._ending.failed(error)
        else:
            self._ending.late = error
            self.loop.main.cancel()
        self.loop.run()

    # -- commands out --

    def take(self) -> Turn:
        """What came of the events since the last call; without what was asked for and abandoned between."""
        return self.machine.take()

    def ask_step(
        self,
        step: StepSpec,
        arguments: bytes,
        file: str | None,
        line: int | None,
        decoded: Decoded | None = None,
    ) -> CommandFuture:
        """Ask for a step, from workflow code; the future gets what it returns or raises.

        `decoded` are the arguments for the step's body, which nobody else may hold.
        """
        loop = self.loop
        future = loop.command_future()
        if not loop.closed:
            self.machine.ask_step(step, arguments, decoded, (file, line), loop.now, future)
        return future

    def ask_signal(self, name: str, site: Site) -> CommandFuture:
        """Ask for a signal, from workflow code; the future gets its `MessageReceived`."""
        loop = self.loop
        future = loop.command_future()
        if not loop.closed:
            kept = self.machine.ask_signal(name, site, loop.now, future)
            if kept is not None:
                future.set_result(kept)
        return future

    def stream(self, name: str) -> Random:
        """A source of random numbers for workflow code, seeded from key and epoch; one object per name."""
        if name not in self._streams:
            epoch = f"/{self.machine.base}" if self.machine.base else ""
            self._streams[name] = Random(f"{self.identity.key}/{name}{epoch}")
        return self._streams[name]

    # -- why it does not move, and what it leaves behind --

    def waits(self) -> list[Wait]:
        """What the code waits for, in the order of asking."""
        return [
            Wait(
                kind="signal" if command.kind == "receive" else command.kind,
                name=command.name,
                file=command.file,
                line=command.line,
                since=command.asked_at,
                until=command.due if isinstance(command, StartTimer) else None,
            )
            for command in self.open.values()
        ]

    def waits_at(self) -> Site:
        """File and line of the workflow's source where its main task now waits; None and None if unknown."""
        return self.loop.waits_at()

    def unhandled(self) -> list[events.Unhandled]:
        """The signals that no code took, in order, as the terminal event lists them."""
        kept = self.machine.mailbox.kept()
        return [events.Unhandled("signal", each.name, each.message, each.payload) for each in kept]

    def close(self) -> None:
        """Evict: free the memory without effect or output. May be called anywhere, any number of times."""
        loop = self.loop
        if not loop.closed:
            loop.closed = True
            self.machine.clear()
            if loop.holds_code:
                loop.within(lambda: evict(loop))
            else:
                loop.ready.clear()
            loop.let_go()
