"""REST: what an instance has logged, by pages of a key."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import orquestrax as ox
from tests.web.conftest import Web

log = logging.getLogger("web.tests")


@ox.step(name="charge")
async def charge() -> None:
    log.error("charged")


@ox.workflow(name="talk")
async def talk(times: int) -> None:
    for number in range(times):
        log.warning("%d", number)
    await charge()


async def talked(web: Web, id_: str, times: int) -> list[dict[str, Any]]:
    client = await web.bench.node(talk)
    run = await client.start(talk, times, id=id_)
    await run.result()
    async with asyncio.timeout(20):
        while len(found := (await web.http.get(f"/api/v1/instances/{id_}/logs")).json()) <= times:
            await asyncio.sleep(0.02)
    return list(found)


async def test_logs_are_paged_by_key_and_filtered(web: Web) -> None:
    found = await talked(web, "a", 4)
    address = "/api/v1/instances/a/logs"
    assert [one["message"] for one in found] == ["0", "1", "2", "3", "charged"]
    assert set(found[0]) == {
        "number", "at", "level", "logger", "step", "attempt", "node", "message", "traceback"
    }  # fmt: skip
    assert (found[0]["step"], found[0]["level"], found[-1]["step"]) == ("-", "WARNING", "charge")
    page = (await web.http.get(address, params={"limit": 2})).json()
    after = (await web.http.get(address, params={"limit": 2, "after": page[-1]["number"]})).json()
    assert page + after == found[:4]
    for query in ({"level": "ERROR"}, {"step": "charge"}):
        assert (await web.http.get(address, params=query)).json() == found[4:]
    assert (await web.http.get(address, params={"step": "-"})).json() == found[:4]
    assert (await web.http.get("/api/v1/instances/-/logs", params={"id": "a"})).json() == found
    run = await web.node.get("a")
    assert [entry.message for entry in await run.logs(level="error")] == ["charged"]


@pytest.mark.parametrize("query", [{"level": "LOUD"}, {"after": -1}, {"limit": 0}, {"after": 2**63}])
async def test_what_does_not_fit_is_refused(web: Web, query: dict[str, Any]) -> None:
    answer = await web.http.get("/api/v1/instances/a/logs", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "OX1200")


async def test_nobody_has_no_logs(web: Web) -> None:
    assert (await web.http.get("/api/v1/instances/nobody/logs")).status_code == 404
