"""REST: how far running steps are."""

from __future__ import annotations

import asyncio
from typing import Any

import orquestrax as ox
from tests.web.conftest import Web

go_on: asyncio.Event


@ox.step(name="copy")
async def copy() -> None:
    ox.progress(3, 8, "halfway")
    ox.heartbeat({"row": 3})
    await go_on.wait()


@ox.workflow(name="copying")
async def copying() -> None:
    await copy()


async def test_progress_is_told_while_the_step_runs(web: Web) -> None:
    global go_on  # noqa: PLW0603 - the step runs in this process
    go_on = asyncio.Event()
    run = await (await web.bench.node(copying)).start(copying, id="c")
    (step,) = await until_told(web, "c", 1)
    assert (step["command"], step["attempt"], step["done"], step["total"]) == (1, 1, 3, 8)
    assert (step["note"], step["details"]) == ("halfway", {"row": 3})
    assert step["told_at"].endswith("Z")
    go_on.set()
    await run.result()
    assert await until_told(web, "c", 0) == []


async def test_who_is_not_there_has_none(web: Web) -> None:
    answer = await web.http.get("/api/v1/instances/nobody/progress")
    assert answer.status_code == 404


async def until_told(web: Web, id_: str, steps: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while len(found := (await web.http.get(f"/api/v1/instances/{id_}/progress")).json()) != steps:
            await asyncio.sleep(0.02)
    return list(found)
