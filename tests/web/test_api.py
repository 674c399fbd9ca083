"""REST: what it is for."""

from __future__ import annotations

import os

import pytest

from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.core.store.database import Database
from tests.web.conftest import Web
from tests.web.flows import WORKFLOWS

START = "/api/v1/instances"


async def test_an_instance_is_started_read_and_listed(web: Web) -> None:
    answer = await web.http.post(START, json={"definition": "greet", "id": "g", "input": {"name": "Ada"}})
    assert answer.status_code == 201
    assert answer.json()["id"] == "g"
    assert answer.json()["created_by"] == "api"
    assert await (await web.node.get("g")).result(20) == "hello Ada"
    shown = (await web.http.get(f"{START}/g")).json()
    assert (shown["status"], shown["result"], shown["input"]) == ("completed", "hello Ada", ["Ada", 1])
    events = (await web.http.get(f"{START}/g/events")).json()
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert [item["id"] for item in (await web.http.get(START)).json()["items"]] == ["g"]


async def test_the_same_start_again_finds_it(web: Web) -> None:
    body = {"definition": "one", "id": "same", "input": {"a": 1, "b": 2}}
    first = await web.http.post(START, json=body)
    second = await web.http.post(START, json={**body, "input": {"b": 2, "a": 1}})
    assert (first.status_code, second.status_code) == (201, 200)
    assert await web.rows() == 1


async def test_numbers_keep_their_digits(web: Web) -> None:
    number = "123456789012345678901234567890"
    body = f'{{"definition": "one", "id": "big", "input": {number}}}'
    answer = await web.http.post(START, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 201
    assert f'"input":[{number}]' in (await web.http.get(f"{START}/big")).text


async def test_decimals_keep_theirs(web: Web) -> None:
    body = '{"definition": "price", "id": "p", "input": 1.10}'
    await web.http.post(START, content=body, headers={"content-type": "application/json"})
    assert await (await web.node.get("p")).result(20) == "1.10"


async def test_deep_values_come_back(web: Web) -> None:
    deep = "[" * 400 + "]" * 400
    body = f'{{"definition": "one", "id": "deep", "input": {deep}}}'
    answer = await web.http.post(START, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 201
    assert deep in (await web.http.get(f"{START}/deep")).text
    assert deep in (await web.http.get(f"{START}/deep/events")).text


async def test_a_signal_reaches_the_instance_once(web: Web) -> None:
    await web.http.post(START, json={"definition": "approve", "id": "a"})
    message = {"name": "approval", "value": {"by": "Ada"}, "message_id": "m-1"}
    answer = await web.http.post(f"{START}/a/signal", json=message)
    assert (answer.status_code, answer.json()) == (202, {"accepted": True})
    again = await web.http.post(f"{START}/a/signal", json=message)
    assert again.status_code in (202, 409), "the same, or too late by now"
    assert await (await web.node.get("a")).result(20) == {"by": "Ada"}


async def test_a_cancel_needs_no_body(web: Web) -> None:
    await web.http.post(START, json={"definition": "approve", "id": "c"})
    assert (await web.http.post(f"{START}/c/cancel")).status_code == 202


async def test_pages_follow_each_other(web: Web) -> None:
    for number in range(5):
        await web.http.post(START, json={"definition": "approve", "id": f"p{number}"})
    seen, query = [], {"limit": "2"}
    while True:
        page = (await web.http.get(START, params=query)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == ["p4", "p3", "p2", "p1", "p0"]


async def test_definitions_have_their_schemas(web: Web) -> None:
    found = (await web.http.get("/api/v1/definitions")).json()
    assert sorted(definition["name"] for definition in found) == ["approve", "greet", "one", "price"]
    shown = (await web.http.get("/api/v1/definitions/greet")).json()
    assert set(shown["input_schema"]["properties"]) == {"name", "times"}


async def test_health(web: Web) -> None:
    assert (await web.http.get("/health/live")).json() == {"status": "live"}
    assert (await web.http.get("/health/ready")).json() == {"status": "ready"}


async def test_without_a_database_it_lives_but_is_not_ready(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object) -> None:
        raise DatabaseUnreachable("no server answers")

    monkeypatch.setattr(Database, "fetch", nobody)
    assert (await web.http.get("/health/live")).status_code == 200
    ready, listed, page = [await web.http.get(path) for path in ("/health/ready", START, "/")]
    assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "reason": "no server answers"})
    assert (listed.status_code, listed.json()["code"]) == (503, "OX1801")
    assert page.status_code == 503
    assert "no server answers" in page.text
    monkeypatch.undo()


async def test_nodes_as_the_command_shows_them(web: Web) -> None:
    (node,) = (await web.http.get("/api/v1/nodes")).json()
    assert (node["status"], node["roles"], node["queues"]) == ("alive", ["engine", "worker"], ["*"])
    assert node["pid"] == os.getpid()
    assert {code["name"] for code in node["definitions"]} == set(WORKFLOWS)
    assert all(code["digest"] for code in node["definitions"])
    assert node["slots"]["async"]["total"] == 1000
    await web.bench.query("update {schema}.nodes set status = 'dead', ended_at = {schema}.now()")
    (node,) = (await web.http.get("/api/v1/nodes")).json()
    assert node["status"] == "dead"
    assert node["since"] == node["ended_at"]
