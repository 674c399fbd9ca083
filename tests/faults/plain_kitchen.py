"""The kitchen sink as a plain `def`: the same steps, timers and signals, in the same order."""

from __future__ import annotations

import asyncio

import orquestrax as ox
from orquestrax import workflow
from tests.faults.kitchen import LARGE, add, endless, flaky, in_thread, large, missing, slow


@workflow
def plain_kitchen_sink(n: int) -> dict[str, object]:
    seen: dict[str, object] = {"sum": add.call(n, 1)}
    squares = ox.await_(asyncio.gather(*(in_thread(i) for i in range(3))))
    seen["squares"] = squares
    word, payload = ox.await_(asyncio.gather(flaky("soup"), ox.to_greenlet(large.call, LARGE)))
    seen["word"], seen["large"] = word, len(payload)
    try:
        slow.call()
    except TimeoutError:
        seen["slow"] = "timed out"
    try:
        missing.call("salt")
    except KeyError as error:
        seen["missing"] = error.args[0]
    try:
        ox.await_(asyncio.wait_for(ox.to_greenlet(endless.call), 0.02))
    except TimeoutError:
        seen["endless"] = "cut"
    ox.await_(asyncio.sleep(0.02))
    seen["approval"] = ox.await_(ox.receive("approval", bool))
    try:
        ox.await_(asyncio.wait_for(ox.receive("never", int), 0.02))
    except TimeoutError:
        seen["never"] = "no signal"
    cancelled = asyncio.create_task(ox.to_greenlet(endless.call))
    ox.await_(asyncio.sleep(0))
    cancelled.cancel()
    try:
        ox.await_(cancelled)
    except asyncio.CancelledError:
        seen["task"] = "cancelled"
    return seen
