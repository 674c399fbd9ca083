"""What a replay after the end finds is on the page of the instance, and among its records."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine import flawed
from tests.web.conftest import Web


@pytest.mark.timeout(120)
async def test_I19_what_did_otherwise_is_shown(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQUESTRAX_RECHECK", "1")
    client = await web.bench.node(flawed.in_the_order_of_a_set, flawed.steady)
    sound = await client.start(flawed.steady, ["x"], id="sound")
    await sound.result(20)
    heard = asyncio.Event()
    unlisten = client.hints.listen("view", lambda _payload: heard.set())
    run = await client.start(flawed.in_the_order_of_a_set, id="flawed")
    await run.result(20)
    async with asyncio.timeout(60):
        while "The code is not deterministic" not in (page := (await web.http.get("/workflows/flawed")).text):
            await heard.wait()  # the hint that open pages get
            heard.clear()
    unlisten()
    assert "replayed in another process, it did otherwise" in page
    assert f"{flawed.__file__}:{flawed.in_the_order_of_a_set.line + 4}" in page
    (record,) = (await web.http.get("/api/v1/instances/flawed/logs")).json()
    assert (record["level"], record["step"]) == ("WARNING", "-")
    assert "it did otherwise" in record["message"]
    assert "The code is not deterministic" not in (await web.http.get("/workflows/sound")).text
