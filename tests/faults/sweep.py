"""The crash sweep: `kill -9` at every durable boundary, a successor, and a verdict. A program of its own.

    python -m tests.faults.sweep SCENARIO DSN FOLDER

Everything is imported here once; each run is a fork of this process, which has one thread and no connection. A run
counts the boundaries that it reaches, and kills itself at the one it was told. The next fork is its successor: it
asks for the same, awaits the end and judges. One line of JSON on stdout for each boundary, and one before them for
the run without a kill.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orquestrax.base import faultpoint
from orquestrax.client.client import Client
from orquestrax.model import events
from orquestrax.node import EngineOptions, Node
from orquestrax.settings import Settings
from tests.checker import check_instance
from tests.faults.sweep_flows import SCENARIOS

# Parks as often as it can, and polls often enough for a test.
OPTIONS = EngineOptions(park_after=0.0, poll=0.05, lanes=1)
PATIENCE = 90  # seconds until a run is given up


@dataclass
class Killer:
    """Kills this process at boundary number `at`."""

    at: int | None
    reached: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.reached.append(name)
        if len(self.reached) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


class Sweep:
    """One scenario in one schema."""

    def __init__(self, name: str, dsn: str, folder: Path) -> None:
        self.scenario = SCENARIOS[name](folder)
        self.folder = folder
        self.settings = Settings(
            database=dsn, home=folder, project=folder, namespace=f"sweep_{name}", processes=1
        )

    def run(self) -> None:
        """All boundaries; says one line for each."""
        whole = self._forked(lambda: self._whole("whole", None))
        _say(whole)
        if "failure" in whole:
            return
        for at in range(1, len(whole["reached"]) + 1):
            tag = f"k{at}"
            began = time.perf_counter()
            killed = self._forked(lambda tag=tag, at=at: self._whole(tag, at))
            verdict = {"at": at, "killed": killed.get("status") == -signal.SIGKILL}
            if not verdict["killed"] and "failure" in killed:
                verdict |= killed
            else:
                verdict |= self._forked(
                    lambda tag=tag, v=verdict: self._succeed(tag, whole["outcome"], v["killed"])
                )
            _say(verdict | {"seconds": round(time.perf_counter() - began, 3)})

    async def _whole(self, tag: str, at: int | None) -> dict[str, Any]:
        """A run, with or without a kill."""
        killer = Killer(at)
        with faultpoint.armed(killer):
            node, client = await self._node()
            outcome = _plain(await self.scenario.drive(client, tag))
        await self._judge(client, tag, killed=False)
        await node.stop(grace=0)
        return {"outcome": outcome, "reached": killer.reached}

    async def _succeed(self, tag: str, expected: Any, killed: bool) -> dict[str, Any]:
        """The successor of a run that was killed."""
        node, client = await self._node()
        outcome = _plain(await self.scenario.drive(client, tag))
        assert outcome == expected, f"another outcome: {outcome} instead of {expected}"
        extra = await self._judge(client, tag, killed=killed)
        await node.stop(grace=0)
        return {"extra": extra}

    async def _node(self) -> tuple[Node, Client]:
        workflow = self.scenario.workflow
        node = Node(self.settings, {workflow.name: workflow}, options=OPTIONS, migrates=False)
        return node, await node.start()

    async def _judge(self, client: Client, tag: str, *, killed: bool) -> int:
        """Every history is whole and replays; bodies ran once per attempt, one more only for the kill.

        Returns how many bodies ran again, or, being `at_most_once`, not at all.
        """
        ran = Counter(line.split()[0] for line in Path(os.environ["SWEEP_TRACE"]).read_text().splitlines())
        extra = 0
        for id_ in self.scenario.ids(tag):
            history = await check_instance(client, self.scenario.workflow, id_)
            key = (await client.view(id_)).key
            for event in history:
                if event.type in (events.STEP_COMPLETED, events.STEP_FAILED):
                    ended: events.StepEnded = events.decode(event)
                    more = ran[f"{key}:{ended.command}"] - ended.attempt
                    least, most = (-1, 0) if ended.step == "once" and killed else (0, killed)
                    assert least <= more <= most, (
                        f"I8: {ended.step} of {id_} ran {more} times more than recorded"
                    )
                    extra += abs(more)
        return extra

    def _forked(self, work: Callable[[], Coroutine[Any, Any, dict[str, Any]]]) -> dict[str, Any]:
        """What a coroutine comes to in a fork of this process; its end by a signal as `status`."""
        assert threading.active_count() == 1
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _be_run(work, writing)
        os.close(writing)
        with os.fdopen(reading) as answer:
            said = answer.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if said:
            told: dict[str, Any] = json.loads(said)
            return told
        name = signal.Signals(-status).name if status < 0 else status
        return {"status": status, "failure": f"ended by {name} without a word"}


def _be_run(work: Callable[[], Coroutine[Any, Any, dict[str, Any]]], writing: int) -> None:
    """The child's life; never returns."""
    signal.alarm(PATIENCE)
    try:
        told = asyncio.run(work())
    except BaseException:
        told = {"failure": traceback.format_exc()}
    with os.fdopen(writing, "w") as out:
        json.dump(told, out)
    os._exit(0)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def main() -> None:
    """Sweep one scenario."""
    name, dsn, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    os.environ["SWEEP_TRACE"] = str(folder / "trace.txt")
    os.environ["ORDERS_WORLD"] = str(folder / "world.sqlite")
    sweep = Sweep(name, dsn, folder)
    gc.collect()
    gc.freeze()
    sweep.run()


if __name__ == "__main__":
    main()
