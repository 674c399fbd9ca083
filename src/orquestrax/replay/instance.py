"""One workflow in memory: events in, commands out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import msgspec

from orquestrax.base.logs import Names, origin
from orquestrax.model import events
from orquestrax.model.commands import Finish, StartTimer, StepSpec
from orquestrax.model.events import Event
from orquestrax.replay import alike, mismatch, quiet
from orquestrax.replay.driving import DRIVERS
from orquestrax.replay.ending import Ending
from orquestrax.replay.eviction import evict
from orquestrax.replay.loop import Loop, host_in_callback
from orquestrax.replay.machine import Machine
from orquestrax.replay.sites import Site
from orquestrax.replay.tasks import CommandFuture
from orquestrax.replay.turns import Identity, Turn, Wait

__all__ = ["Identity", "Replay", "Turn", "Wait"]


class Replay:
    """One workflow's memory. The package's head says what it promises.

    `main` makes the coroutine of the workflow function; what it raises is the workflow's failure, too.
    `open` holds the commands that are neither resolved nor abandoned, by number.
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
        self._machine = Machine()
        self.open = self._machine.open
        self._loop = Loop(identity.id, identity.started_at, self._machine, self)
        self._ending = Ending(self._loop, encode_result, encode_error)
        self._main = main
        self._streams: dict[str, Random] = {}
        self._started = self._ended = False

    # -- what it is and where it stands --

    @property
    def issued(self) -> int:
        """How many commands the code has asked for."""
        return self._machine.issued

    @property
    def trail(self) -> int:
        """The rolling CRC-32 over their kinds and names."""
        return self._machine.trail

    @property
    def now(self) -> int:
        """The time of the last event that drove code, in microseconds since the epoch."""
        return self._loop.now

    @property
    def finish(self) -> Finish | None:
        """The last command, once the code has ended."""
        return self._ending.finish

    @property
    def finished(self) -> bool:
        """Whether the code has ended."""
        return self._ending.finish is not None

    @property
    def closed(self) -> bool:
        """Whether the instance was evicted."""
        return self._loop.closed

    @property
    def replaying(self) -> bool:
        """Set by the owner while it applies stored events: logs and reports are held back."""
        return self._loop.replaying

    @replaying.setter
    def replaying(self, value: bool) -> None:
        if not value:
            self._loop.prune()
        self._loop.replaying = value

    # -- events in --

    def start(self) -> None:
        """Begin the main task at `identity.started_at` and run until idle."""
        if self._started or self.closed:
            raise RuntimeError(f"{self.identity.id!r} was {'closed' if self.closed else 'started'} before")
        host_in_callback()
        self._started = True
        loop = self._loop
        loop.context.run(origin.set, self)
        loop.call_soon(self._begin, context=loop.context)
        loop.run()

    def _begin(self) -> None:
        loop = self._loop
        try:
            loop.main = main = loop.make_task(self._main(), context=loop.context)
        except BaseException as error:  # noqa: BLE001 - the input does not fit, or it made no coroutine
            self._ending.failed(error)
        else:
            main.add_done_callback(self._ending.main_done, context=loop.context)

    def stamp(self, seq: int, type_: str, at: int, data: msgspec.Struct) -> Event:
        """What has just happened, as an event: with how many commands the code had asked for by then."""
        machine = self._machine
        return Event(seq, type_, at, machine.issued, machine.trail, events.encode(data))

    def apply(self, event: Event, data: Any = None) -> None:
        """Apply one event and run until idle. NonDeterminism, and nothing changed, if the code does not fit.

        Informational events are only compared. `data` is the event's as a struct, from who has just encoded it.
        RuntimeError if the instance was closed or not started, or within a task of the host.
        """
        if self._loop.closed or not self._started:
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
            self._note(event, data)
        elif self._ending.finish is not None:
            raise mismatch.ended(event, self._ending.finish)
        else:
            driver(self._loop, event, data)

    def _note(self, event: Event, data: Any) -> None:
        """An event that runs no code. Terminate may come at any time, from who never ran this code."""
        if event.type != events.TERMINATED:
            finish = self._ending.finish
            if event.type in events.TERMINAL:
                if finish is None:
                    raise mismatch.not_ended(event, self._machine, self.waits_at())
                if finish.status != event.type:
                    raise mismatch.ended(event, finish)
            mismatch.check(event, data, self._machine, self.waits_at)
        self._ended = event.type in events.TERMINAL

    # -- commands out --

    def take(self) -> Turn:
        """What came of the events since the last call; without what was asked for and abandoned between."""
        commands, abandoned = self._machine.take()
        finish = commands[-1] if commands and isinstance(commands[-1], Finish) else None
        return Turn(commands, abandoned, finish)

    def ask_step(self, step: StepSpec, arguments: bytes, file: str | None, line: int | None) -> CommandFuture:
        """Ask for a step, from workflow code; the future gets what it returns or raises."""
        loop = self._loop
        future = loop.command_future()
        if not loop.closed:
            self._machine.ask_step(step, arguments, (file, line), loop.now, future)
        return future

    def ask_signal(self, name: str, site: Site) -> CommandFuture:
        """Ask for a signal, from workflow code; the future gets its `MessageReceived`."""
        loop = self._loop
        future = loop.command_future()
        if not loop.closed:
            kept = self._machine.ask_signal(name, site, loop.now, future)
            if kept is not None:
                future.set_result(kept)
        return future

    def stream(self, name: str) -> Random:
        """A source of random numbers for workflow code, seeded from the key; one object per name."""
        if name not in self._streams:
            self._streams[name] = Random(f"{self.identity.key}/{name}")
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
        return self._loop.waits_at()

    def unhandled(self) -> list[events.Unhandled]:
        """The signals that no code took, in order, as the terminal event lists them."""
        kept = self._machine.mailbox.kept()
        return [events.Unhandled("signal", each.name, each.message, each.payload) for each in kept]

    def close(self) -> None:
        """Evict: free the memory without effect or output. May be called anywhere, any number of times."""
        loop = self._loop
        if not loop.closed:
            loop.closed = True
            self._machine.clear()
            if loop.holds_code:
                loop.within(lambda: evict(loop))
            else:
                loop.ready.clear()
