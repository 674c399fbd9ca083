"""Micro benchmark of replay alone: Python time per step, without database, network or step bodies.

    python -m bench.replay

Prints for each shape of workflow the processor time of a live step (ask, apply, resume), that of a replayed
event, and the whole replay. The least of several rounds counts, since other work on the machine only adds.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final
from uuid import UUID

import msgspec

from orquestrax.model import events
from orquestrax.model.commands import Command, RunStep, StartTimer
from orquestrax.model.events import Event, MessageReceived, StepEnded, TimerFired
from orquestrax.replay.context import ask_step, receive
from orquestrax.replay.instance import Identity, Replay, Turn

ROUNDS: Final = 3
BEGAN: Final = 1_700_000_000_000_000
RESULT: Final = events.raw(b'{"ok":true}')
ENCODE: Final = msgspec.json.Encoder().encode

Main = Callable[[], Coroutine[Any, Any, Any]]


class Step:
    """A step that returns a small JSON object."""

    name = "charge"
    options: Any = None
    decode_result = staticmethod(msgspec.json.Decoder().decode)

    def rebuild_error(self, raw: bytes | str) -> BaseException:
        return RuntimeError(raw)


CHARGE: Final = Step()


def charge() -> Awaitable[Any]:
    return ask_step(CHARGE, b"[1]", __file__, 1)


async def charging() -> Any:
    return await charge()


def sequential(count: int) -> Main:
    async def main() -> None:
        for _ in range(count):
            await charge()

    return main


def gather(count: int) -> Main:
    async def main() -> None:
        await asyncio.gather(*[charging() for _ in range(count)])

    return main


def group(count: int) -> Main:
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(charging())

    return main


def as_completed(count: int) -> Main:
    async def main() -> None:
        for each in asyncio.as_completed([charging() for _ in range(count)]):
            await each

    return main


def workers(count: int) -> Main:
    """A hundred of them, with a queue and a semaphore between them and the steps."""

    async def work(queue: asyncio.Queue[int], slots: asyncio.Semaphore) -> None:
        while not queue.empty():
            queue.get_nowait()
            async with slots:
                await charge()

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        for n in range(count):
            queue.put_nowait(n)
        slots = asyncio.Semaphore(50)
        await asyncio.gather(*[work(queue, slots) for _ in range(100)])

    return main


def sleeps(count: int) -> Main:
    async def main() -> None:
        for _ in range(count):
            await asyncio.sleep(1)

    return main


def limited(count: int) -> Main:
    async def main() -> None:
        for _ in range(count):
            async with asyncio.timeout(60):
                await charge()

    return main


def signals(count: int) -> Main:
    async def main() -> None:
        for _ in range(count):
            await receive("go", int)

    return main


def new(main: Main) -> Replay:
    identity = Identity("bench", UUID(int=1), "bench", "1", BEGAN)
    return Replay(identity, main, encode_result=ENCODE, encode_error=lambda error: ENCODE(str(error)))


def event_for(command: Command, replay: Replay, seq: int) -> Event:
    """What resolves this command."""
    at = BEGAN + seq
    data: msgspec.Struct
    if isinstance(command, RunStep):
        kind = events.STEP_COMPLETED
        data = StepEnded(command.number, command.name, 1, "node-1", at, at, RESULT)
    elif command.kind == "timer":
        kind, data = events.TIMER_FIRED, TimerFired(command.number)
    else:
        kind, data = events.SIGNAL, MessageReceived(seq, f"m{seq}", command.name, events.raw(b"1"))
    return Event(seq, kind, at, replay.issued, replay.trail, events.encode(data))


def due(turn: Turn) -> list[Command]:
    """What is resolved next: time limits never are."""
    commands = [command for command in turn.commands if command is not turn.finish]
    return [command for command in commands if not isinstance(command, StartTimer)] or commands


def live(main: Main) -> tuple[list[Event], float]:
    """The history, and the processor time of start, applies and takes."""
    replay, history, spent = new(main), list[Event](), 0.0
    began = time.process_time()
    replay.start()
    turn = replay.take()
    spent += time.process_time() - began
    open_ = deque(due(turn))
    while not replay.finished:
        history.append(event_for(open_.popleft(), replay, len(history) + 1))
        began = time.process_time()
        replay.apply(history[-1])
        turn = replay.take()
        spent += time.process_time() - began
        open_ += due(turn)
    replay.close()
    return history, spent


def replayed(main: Main, history: list[Event]) -> float:
    """The processor time of a rebuild."""
    began = time.process_time()
    replay = new(main)
    replay.replaying = True
    replay.start()
    for event in history:
        replay.apply(event)
    replay.take()
    spent = time.process_time() - began
    assert replay.finished
    replay.close()
    return spent


def short_lives(count: int) -> float:
    """The processor time of instances that ask for one step and are evicted."""
    main = sequential(1)
    began = time.process_time()
    for _ in range(count):
        replay = new(main)
        replay.start()
        replay.take()
        replay.close()
    return time.process_time() - began


SHAPES: Final[list[tuple[str, Callable[[int], Main], int]]] = [
    ("sequential steps", sequential, 50_000),
    ("gather of steps", gather, 10_000),
    ("task group of steps", group, 10_000),
    ("as_completed of steps", as_completed, 10_000),
    ("queue and semaphore", workers, 10_000),
    ("steps with a time limit", limited, 10_000),
    ("sleeps", sleeps, 10_000),
    ("signals", signals, 10_000),
]


def main() -> None:
    """Print the table."""
    print(f"{'':24} {'count':>7} {'live µs':>9} {'replay µs':>10} {'replay s':>9}")
    for name, shape, count in SHAPES:
        lives, replays = [], []
        for _ in range(ROUNDS):
            history, spent = live(shape(count))
            lives.append(spent)
            replays.append(replayed(shape(count), history))
        best = min(replays)
        per_live, per_replay = min(lives) / count * 1e6, best / count * 1e6
        print(f"{name:24} {count:7} {per_live:9.1f} {per_replay:10.1f} {best:9.3f}")
    each = min(short_lives(5_000) for _ in range(ROUNDS)) / 5_000 * 1e6
    print(f"{'make, start, evict':24} {5_000:7} {each:9.1f}")


if __name__ == "__main__":
    main()
