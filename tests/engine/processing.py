"""Workflows whose steps run in child processes, where these find them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import orquestrax as ox


@ox.step(executor="process", retry=ox.Retry(attempts=3, initial=0.01))
def crash_once(folder: str) -> int:
    """Crashes in its first attempt."""
    if ox.step_info().attempt == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    return int(Path(folder, "result").read_text())


@ox.workflow
async def crashing(folder: str) -> int:
    return await crash_once(folder)


@ox.step(executor="process")
def count(folder: str) -> list[int]:
    """Goes on from its last heartbeat; stops at half until it may go on."""
    start: int = ox.step_info().heartbeat or 0
    for number in range(start, 10):
        ox.progress(number + 1, 10, f"row {number}")
        ox.heartbeat(number + 1)
        while number == 4 and not Path(folder, "go").exists():
            time.sleep(0.01)
    return [start, ox.step_info().attempt]


@ox.workflow
async def counting(folder: str) -> list[int]:
    return await count(folder)


@ox.workflow
async def telling() -> None:
    ox.progress(1)
