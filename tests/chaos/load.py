"""The clients: each starts one workflow after the other, sends it messages, waits for its end, without a pause.

Whoever does not hear asks again with the same ids, until there is an answer: so what was acknowledged in the end is
known, and each try is an operation.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from orquestrax.base.errors import (
    DatabaseError,
    InstanceEnded,
    InvalidState,
    OrquestraxError,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowTerminated,
)
from orquestrax.client.client import Client
from orquestrax.client.handle import Run
from tests.chaos.flows import FLOWS
from tests.chaos.operations import Operations
from tests.checker import Call

USUAL: Final = (
    *("chain", "letters", "careful") * 4, *("fan", "sleeper", "patient") * 2, "limited", "parcel", "misfit",
)  # fmt: skip
WAITS: Final = 60.0  # seconds for a result, then the client asks again


@dataclass
class Load:
    """All clients of a run. `stop` lets each finish what it is at."""

    client: Client
    operations: Operations
    seed: int
    clients: int
    stopping: bool = False
    flows: dict[str, str] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def begin(self) -> None:
        """Let them loose."""
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self.clients)]

    async def stop(self) -> None:
        """No more workflows; returns when those under way have ended. Whatever a client died of is raised."""
        self.stopping = True
        await asyncio.gather(*self._tasks)

    def abandon(self) -> None:
        """They give up where they are."""
        for task in self._tasks:
            task.cancel()

    async def _client(self, number: int) -> None:
        dice = random.Random(f"client {self.seed} {number}")
        count = 0
        while not self.stopping:
            flow = dice.choice(USUAL)
            await self.job(f"{flow}-{number}-{count}", flow, dice)
            count += 1

    async def job(self, id_: str, flow: str, dice: random.Random) -> None:
        """One workflow, from its start to its end."""
        self.flows[id_] = flow
        n = dice.choice((1, 3, 10, 20)) if flow in ("sleeper", "patient", "limited") else dice.randint(1, 5)
        run: Run[Any] = await self._until_heard(
            self.operations.call("start", id_, str(n)),
            lambda: self.client.start(FLOWS[flow], n, id=id_, priority=dice.randrange(5)),
        )
        for kind, value in _messages(flow, n, dice):
            await asyncio.sleep(dice.random() ** 2 * 0.5)
            call = self.operations.call(kind, id_, value)
            await self._until_heard(call, lambda call=call: _sent(run, call))
        await self._until_heard(self.operations.call("result", id_), lambda: _ended(run))

    async def _until_heard(self, call: Call, ask: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            began = time.monotonic()
            try:
                answer = await ask()
            except InstanceEnded:
                self.operations.note(call, began, "failed", "ended")
            except InvalidState:
                self.operations.note(call, began, "failed", "pointless")
            except (DatabaseError, TimeoutError) as error:
                self.operations.note(call, began, "unknown", str(error) or type(error).__name__)
            except OrquestraxError as error:
                self.operations.note(call, began, "failed", f"refused: {error}")
            else:
                self.operations.note(call, began, "ok")
                return answer
            if call.over:
                return None
            await asyncio.sleep(0.3)


def _messages(flow: str, n: int, dice: random.Random) -> list[tuple[str, str]]:
    """What is sent after the start, in order. A pause is always followed by a resume."""
    letters = n + (dice.random() < 0.2) if flow == "letters" else int(dice.random() < 0.1)
    messages = [("signal", str(number)) for number in range(letters)]
    if dice.random() < 0.08:
        place = dice.randint(0, len(messages))
        messages[place:place] = [("pause", ""), ("resume", "")]
    if dice.random() < 0.08:
        kind = dice.choice(("cancel", "cancel", "terminate"))
        place = dice.randint(0, len(messages))
        if ("resume", "") not in messages[place:]:
            messages.insert(place, (kind, ""))
    return messages


async def _sent(run: Run[Any], call: Call) -> None:
    if call.kind == "signal":
        await run.signal("letter", int(call.value), message_id=call.message)
    else:
        await getattr(run, call.kind)("enough", message_id=call.message)


async def _ended(run: Run[Any]) -> None:
    """Wait for its end, however it ends."""
    try:
        await run.result(WAITS)
    except (WorkflowFailed, WorkflowCancelled, WorkflowTerminated):
        return
