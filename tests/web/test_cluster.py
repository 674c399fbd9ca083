"""The Cluster page, and the button that kills a node: there in `dev`, hidden and refused elsewhere."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from orquestrax.core.store.nodeverbs import register_node
from orquestrax.web.app import create_app
from tests.engine.conftest import Bench
from tests.store.support import NODE
from tests.web.conftest import LOCAL, Web, make_web
from tests.web.flows import WORKFLOWS

OTHER = 2**22 + 17  # more than any process has as its number


@dataclass
class Beside:
    """What `dev` keeps: says who was to be killed."""

    pids: frozenset[int]
    killed: list[int] = field(default_factory=list)

    def kill(self, pid: int) -> None:
        self.killed.append(pid)


@dataclass
class Dev:
    """An app as `dev` has it, asked by a browser with its form's token; `other` is the fence of another node."""

    web: Web
    http: httpx.AsyncClient
    beside: Beside
    other: int

    @property
    def own(self) -> int:
        fence = self.web.bench.nodes[-1].fence
        assert fence is not None
        return fence

    async def kill(self, node: object, **fields: str) -> httpx.Response:
        csrf = {"csrf": self.http.cookies["orquestrax_csrf"]}
        return await self.http.post("/actions/kill", data={**csrf, "node": str(node), **fields})


@pytest.fixture
async def dev(bench: Bench) -> AsyncIterator[Dev]:
    async with AsyncExitStack() as stack:
        web = await make_web(bench, stack, None)
        node = bench.nodes[-1]
        columns = {**NODE, "name": "other", "host": socket.gethostname(), "pid": OTHER}
        other, _ = await register_node(node.database, **columns)
        beside = Beside(frozenset({OTHER, os.getpid()}))
        app = create_app(
            client=web.node,
            hints=node.hints,
            store=node.store,
            settings=node.settings,
            workflows=WORKFLOWS,
            neighbours=beside,
        )
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=LOCAL)
        )
        await http.get("/nodes")
        yield Dev(web, http, beside, other)


async def test_elsewhere_there_is_no_button_and_no_order(web: Web) -> None:
    page = await web.http.get("/nodes")
    assert "alive" in page.text
    assert "Kill this node" not in page.text
    assert "/actions/" not in page.text.partition("<main")[2]
    form = {"csrf": web.http.cookies["orquestrax_csrf"], "node": str(web.bench.nodes[-1].fence)}
    for path in ("/actions/kill", "/actions/fan-out"):
        answer = await web.http.post(path, data=form)
        assert answer.status_code == 403
        assert "only `orquestrax dev` has nodes that are there to be killed" in answer.text


async def test_a_button_beside_each_node_that_dev_started(dev: Dev) -> None:
    columns = {**NODE, "name": "foreign", "host": "elsewhere", "pid": OTHER}
    foreign, _ = await register_node(dev.web.bench.nodes[-1].database, **columns)
    page = (await dev.http.get("/nodes")).text
    assert f'id="kill-{dev.other}"' in page
    assert f'id="kill-{dev.own}"' in page
    assert f'id="node-{foreign}"' in page
    assert f'id="kill-{foreign}"' not in page, "a process of that number, on another machine"


async def test_it_kills_that_process_and_shows_the_page_again(dev: Dev) -> None:
    answer = await dev.kill(dev.other, run="")
    assert (answer.status_code, answer.headers["location"]) == (303, "/nodes")
    assert dev.beside.killed == [OTHER]
    answer = await dev.kill(dev.other, run="fan-out-1")
    assert answer.headers["location"] == "/nodes?run=fan-out-1"


async def test_a_page_is_answered_before_its_own_process_goes(dev: Dev) -> None:
    answer = await dev.kill(dev.own)
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert "What happened" in answer.text
    assert dev.beside.killed == [os.getpid()]


async def test_nobody_else_is_killed(dev: Dev) -> None:
    await dev.web.bench.query(
        "update {schema}.nodes set status = 'dead', ended_at = now() where fence = $1", dev.other
    )
    for node in (dev.other, 99, "x", ""):
        answer = await dev.kill(node)
        assert answer.status_code == 422, node
        assert "that node is not there any more, or was not started by this `orquestrax dev`" in answer.text
    forged = await dev.http.post("/actions/kill", data={"csrf": "x" * 43, "node": str(dev.own)})
    assert forged.status_code == 403
    assert dev.beside.killed == []


async def test_the_steps_of_an_instance_by_node(web: Web) -> None:
    run = await web.node.start(WORKFLOWS["greet"], "Ada", id="g")
    await run.result(20)
    page = (await web.http.get("/nodes?run=g")).text
    assert 'href="/workflows/g"' in page
    assert "completed" in page
    assert (await web.http.get("/nodes?run=nobody")).status_code == 404
