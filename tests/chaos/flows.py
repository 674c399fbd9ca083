"""What the nodes run. Each body notes down that it began, in a file outside of the database, before it takes any time.

It returns a token that no other run of a body returns, and is given tokens of steps before it: a body that acted on
something that was never committed can be told by the token that it was given.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
import msgspec

import orquestrax as ox
from orquestrax import Retry, step, workflow
from orquestrax.cluster import machine

_numbers = itertools.count()


def _act(given: list[str], padding: str = "") -> str:
    """Note down a body that begins: in one write, so that it is there or not."""
    info = ox.step_info()
    token = f"{info.instance_id}/{info.command}.{info.attempt}#{os.getpid()}.{next(_numbers)}{padding}"
    line = {
        "at": time.monotonic_ns() // 1000,
        "node": max(int(path.stem) for path in machine._held),  # the latest incarnation of this process
        "instance": info.instance_id,
        "command": info.command,
        "attempt": info.attempt,
        "given": given,
        "token": token,
        "step": info.step,
    }
    path = Path(os.environ.get("CHAOS_BODIES", ".")) / f"bodies-{os.getpid()}.jsonl"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, msgspec.json.encode(line) + b"\n")
    finally:
        os.close(file)
    return token


@step
async def work(given: list[str]) -> str:
    token = _act(given)
    await asyncio.sleep(random.random() ** 4 * 0.2)
    return token


@step
async def slow_work(given: list[str]) -> str:
    token = _act(given)
    await asyncio.sleep(random.random() * 4)
    return token


@step(queue="press")
async def pressed(given: list[str]) -> str:
    token = _act(given)
    await asyncio.sleep(random.random() ** 4 * 0.5)
    return token


@step
def in_thread(given: list[str]) -> str:
    token = _act(given)
    time.sleep(random.random() ** 4 * 0.1)
    return token


@step(retry=Retry(attempts=4, initial=0.2, backoff=3, jitter=0))
async def flaky(given: list[str], failures: int) -> str:
    token = _act(given)
    if ox.step_info().attempt <= failures:
        raise ValueError(token)
    return token


@step(at_most_once=True)
async def once(given: list[str]) -> str:
    token = _act(given)
    await asyncio.sleep(random.random() ** 2)
    return token


@step(timeout=0.5)
async def hasty(given: list[str]) -> str:
    token = _act(given)
    await asyncio.sleep(random.random())
    return token


@step(transactional=True)
async def book(given: list[str], tx: asyncpg.Connection = ox.transaction()) -> str:
    token = _act(given)
    await tx.execute("insert into chaos_bookings (token) values ($1)", token)
    return token


@step
async def large(given: list[str]) -> str:
    return _act(given, padding="." * 20_000)


@step
async def poison(how: str) -> None:
    """Ends the process that runs it; a large enough number of them ends every node."""
    _act([])
    await asyncio.sleep(0.3)  # what it was given to run with others goes on meanwhile
    match how:
        case "exit":
            os._exit(9)
        case "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "oom":  # as the kernel does when memory is short
            os.kill(os.getpid(), signal.SIGKILL)
        case "block":
            time.sleep(3600)
        case _:
            while True:
                pass


@step
async def unserialisable() -> object:
    return object()


@workflow
async def chain(n: int) -> list[str]:
    tokens: list[str] = []
    for _ in range(n):
        tokens.append(await work(tokens[-2:]))
    return tokens


@workflow
async def fan(n: int) -> list[str]:
    first = await work([])
    tokens = await asyncio.gather(
        *(work([first]) for _ in range(n)),
        *(pressed([first]) for _ in range(2)),
        in_thread([first]),
        flaky([first], n % 3),
    )
    return [await pressed(list(tokens))]


@workflow
async def letters(n: int) -> list[int]:
    read = []
    for _ in range(n):
        read.append(await ox.receive("letter", int))
        if len(read) % 2:
            await work([])
    return read


@workflow
async def sleeper(tenths: int) -> list[str]:
    tokens = [await work([])]
    await asyncio.sleep(tenths / 10)
    tokens.append(await flaky(tokens, 2))
    await asyncio.sleep(0.05)
    return [*tokens, await slow_work(tokens)]


@workflow
async def careful(n: int) -> list[str]:
    tokens = [await work([])]
    for _ in range(n):
        try:
            tokens.append(await once(tokens[-1:]))
        except ox.StepInterrupted:
            tokens.append(await work(tokens[-1:]))
        tokens.append(await book(tokens[-1:]))
    return tokens


@workflow
async def parcel(_n: int) -> int:
    return len(await large([await work([])]))


@workflow
async def patient(tenths: int) -> str:
    """Races of steps, signals and timers; a cancel is answered by tidying up."""
    tokens: list[str] = []
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(ox.receive("letter", int), tenths / 10)
        try:
            tokens.append(await hasty([]))
        except TimeoutError:
            tokens.append(await work([]))
        with suppress(TimeoutError):
            async with asyncio.timeout(tenths / 20):
                tokens.append(await slow_work(tokens))
        await asyncio.sleep(tenths / 5)
    except asyncio.CancelledError:
        await work(tokens)
        raise
    return "done"


@workflow(timeout=60.0, retry=Retry(attempts=2, initial=1.0, jitter=0))
async def limited(tenths: int) -> str:
    tokens = [await work([])]
    await asyncio.sleep(tenths / 10)
    if ox.info().attempt == 1:
        raise ValueError("once more")
    return await work(tokens)


@workflow
async def poisoned(how: str) -> None:
    await poison(how)


@workflow
async def misfit(_n: int) -> str:
    try:
        await unserialisable()
    except ox.StepFailed:
        return "refused"
    return "taken"


FLOWS = {
    flow.name: flow
    for flow in (chain, fan, letters, sleeper, careful, parcel, patient, limited, poisoned, misfit)
}
