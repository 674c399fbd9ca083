"""Numbers the commands of one instance, and keeps those that are open."""

from __future__ import annotations

from functools import lru_cache
from sys import intern
from typing import Any, Final
from zlib import crc32

from orquestrax.model.commands import Command, Decoded, Finish, Receive, RunStep, StartTimer, StepSpec
from orquestrax.model.events import MessageReceived
from orquestrax.replay.mailbox import Mailbox
from orquestrax.replay.sites import Site
from orquestrax.replay.tasks import CommandFuture, TimerHandle
from orquestrax.replay.turns import Turn

SMALL: Final = 1_000  # bytes of arguments that are kept decoded while a step waits and runs


class Machine:
    """The commands of one instance.

    issued, trail   how many have been asked for, and the rolling CRC-32 over their labels
    base            how many of them were asked for before this epoch (an earlier attempt of the run)
    base_trail      the CRC-32 over those
    labels          "<kind> <name>" of the others, by number - base - 1: events are compared with them for ever
    open            those that are neither resolved nor abandoned, by number
    targets         what to wake: the future or handle of each open command
    before          what `issued` was when the latest event was applied: the commands since are its doing
    """

    __slots__ = (
        "_abandoned",
        "_asked",
        "_finish",
        "_handed_out",
        "base",
        "base_trail",
        "before",
        "issued",
        "labels",
        "mailbox",
        "open",
        "targets",
        "trail",
    )

    def __init__(self, base: int = 0, base_trail: int = 0) -> None:
        self.issued = self.before = self.base = base
        self.trail = self.base_trail = base_trail
        self.labels: list[str] = []
        self.open: dict[int, Command] = {}
        self.targets: dict[int, Any] = {}
        self.mailbox = Mailbox()
        self._asked: list[Command] = []
        self._abandoned: list[Command] = []
        self._finish: Finish | None = None
        self._handed_out = base

    def _number(self, kind: str, name: str) -> int:
        label, line = _label(kind, name)
        self.trail = crc32(line, self.trail)
        self.labels.append(label)
        self.issued += 1
        return self.issued

    def label(self, number: int) -> str | None:
        """What the command of that number was; None if this epoch has not asked for it."""
        return self.labels[number - self.base - 1] if self.base < number <= self.issued else None

    def _keep(self, command: Command, number: int, target: Any) -> None:
        self.open[number] = command
        self.targets[number] = target
        self._asked.append(command)

    def ask_step(
        self,
        step: StepSpec,
        arguments: bytes,
        decoded: Decoded | None,
        site: Site,
        now: int,
        future: CommandFuture,
    ) -> None:
        """A step is to run; `future` gets its outcome."""
        name = step.name
        future.command = number = self._number("step", name)
        file, line = site
        command = RunStep(
            number=number,
            name=name,
            file=file,
            line=line,
            asked_at=now,
            step=step,
            arguments=arguments,
            decoded=decoded if len(arguments) <= SMALL else None,
        )
        self.open[number], self.targets[number] = (
            command,
            future,
        )  # as `_keep`, for the hottest of its callers
        self._asked.append(command)

    def ask_timer(self, due: int, site: Site, now: int, handle: TimerHandle) -> None:
        """A timer is to fire; then `handle` becomes ready."""
        handle.number = number = self._number("timer", "")
        file, line = site
        self._keep(StartTimer(number=number, file=file, line=line, asked_at=now, due=due), number, handle)

    def ask_signal(self, name: str, site: Site, now: int, future: CommandFuture) -> MessageReceived | None:
        """A signal is wanted: one that was kept is returned, else `future` gets the next one."""
        future.command = number = self._number("receive", name)
        kept = self.mailbox.get(name)
        if kept is None:
            file, line = site
            self.mailbox.wait(name, number)
            command = Receive(number=number, name=name, file=file, line=line, asked_at=now)
            self._keep(command, number, future)
        return kept

    def ask_end(self, status: str, payload: bytes, now: int) -> Finish:
        """The last command; whatever is still open is abandoned."""
        for number in list(self.open):
            self.abandon(number)
        finish = Finish(number=self._number("finish", ""), status=status, payload=payload, asked_at=now)
        self._asked.append(finish)
        self._finish = finish
        return finish

    def settle(self, number: int) -> tuple[Command, Any]:
        """An open command has its outcome: the command, and what to wake."""
        return self.open.pop(number), self.targets.pop(number)

    def abandon(self, number: int) -> None:
        """The code no longer waits for this command; nothing happens if it is not open."""
        command = self.open.pop(number, None)
        if command is None:
            return
        del self.targets[number]
        if isinstance(command, Receive):
            self.mailbox.leave(command.name, number)
        if number <= self._handed_out:  # else nobody outside has heard of it
            self._abandoned.append(command)

    def take(self) -> Turn:
        """What was asked for since the last time and is still open, or the end, and what was abandoned."""
        asked, abandoned, finish = self._asked, self._abandoned, self._finish
        self._asked, self._abandoned, self._finish, self._handed_out = [], [], None, self.issued
        open_ = self.open
        if len(asked) > 1 or (asked and asked[0].number not in open_):  # mostly it is one step
            asked = [each for each in asked if each.number in open_ or each is finish]
        if abandoned:
            abandoned.sort(key=_number_of)
        return Turn(asked, abandoned, finish)

    def clear(self) -> None:
        """Let go of everything that code could still be reached through."""
        self.open.clear()
        self.targets.clear()
        self._asked.clear()
        self._abandoned.clear()
        self._finish = None


@lru_cache(maxsize=4096)
def _label(kind: str, name: str) -> tuple[str, bytes]:
    """A label, shared by all that have it, and what it adds to the trail."""
    label = intern(f"{kind} {name}")
    return label, f"{label}\n".encode()


def _number_of(command: Command) -> int:
    return command.number


def trail_of(labels: list[str], base: int) -> int:
    """What `Machine.trail` is after commands of these labels, `base` being what it was before them."""
    return crc32("".join(f"{label}\n" for label in labels).encode(), base)
