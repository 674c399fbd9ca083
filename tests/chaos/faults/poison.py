"""A poison body: it ends, or hangs, every process that runs it."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress

from orquestrax.base.errors import DatabaseError, OrquestraxError
from orquestrax.client.handle import Run
from tests.chaos.faults.fault import Fault
from tests.chaos.flows import FLOWS


class Poison(Fault):
    """One workflow that nobody survives. It is over when it was convicted; then it is terminated."""

    async def ready(self) -> bool:
        return await self.cluster.calm() and await self.cluster.untried()

    async def begin(self) -> None:
        how = self.dice.choice(("exit", "segv", "oom", "block", "loop"))
        self.id = f"poisoned-{self.strike.number}"
        self.load.flows[self.id] = "poisoned"
        self.run: Run[None] = await self._heard("start", how)
        self.work(self._watch())

    async def _watch(self) -> None:
        while True:
            found = await self.cluster.rows("select status from {schema}.instances where id = $1", self.id)
            if found and found[0]["status"] in ("blocked", "failed"):
                break
            await asyncio.sleep(0.3)
        self.over.set()

    async def heal(self) -> None:
        with suppress(TimeoutError):  # on a busy machine each death takes its time
            await asyncio.wait_for(self.over.wait(), 2 * self.strike.seconds)
        await self.rest()
        if not self.over.is_set():
            self.complaints.append(f"{self.id} was not convicted within {3 * self.strike.seconds:.0f} s")
        await self._heard("terminate", "")

    async def _heard(self, kind: str, how: str) -> Run[None]:
        """Ask until it is heard, as every client does."""
        call = self.load.operations.call(kind, self.id, how and json.dumps(how))
        while True:
            began = time.monotonic()
            try:
                if kind == "start":
                    self.run = await self.load.client.start(FLOWS["poisoned"], how, id=self.id)
                else:
                    await self.run.terminate("enough", message_id=call.message)
            except DatabaseError as error:
                self.load.operations.note(call, began, "unknown", str(error))
                await asyncio.sleep(0.3)
            except OrquestraxError:
                self.load.operations.note(call, began, "failed", "ended")
                return self.run
            else:
                self.load.operations.note(call, began, "ok")
                return self.run
