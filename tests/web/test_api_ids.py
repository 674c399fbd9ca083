"""REST: every id can be asked for, whatever it holds."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.web.conftest import Web
from tests.web.flows import approve, one

HOSTILE = (
    "a/events", "events", "a/signal", "a/cancel", "a/terminate", "a/logs", "a/progress", "/", "//", "/a", "a/",
    "a/b/events", "a//events", ".", "..", "../..", "-", "%2F", "%2Fevents", "%", "a%2Fevents", "a?b=c&id=d",
    "a#b", "a b", "+", "é/日本", "😀", "<script>alert(1)</script>", "'\"`", "\\", ";a=1", "x" * 255, "/events" * 36,
)  # fmt: skip


def address(id_: str, what: str = "") -> str:
    """Its address, escaped; programs resolve dots before they send them, so these go into the query."""
    if id_ in (".", ".."):
        return f"/api/v1/instances/-{what}?id={id_}"
    return f"/api/v1/instances/{quote(id_, safe='')}{what}"


async def test_every_id_has_an_address(web: Web) -> None:
    for id_ in HOSTILE:
        await web.node.start(one, id_, id=id_)
    for id_ in HOSTILE:
        by_path = await web.http.get(address(id_))
        by_query = await web.http.get("/api/v1/instances/-", params={"id": id_})
        assert (by_path.status_code, by_path.json().get("id")) == (200, id_), by_path.text
        assert by_query.json()["id"] == id_
        events = await web.http.get(address(id_, "/events"))
        assert events.json()[0]["data"]["input"] == [id_], id_
        again = await web.http.get("/api/v1/instances/-/events", params={"id": id_})
        assert again.json()[0]["data"]["input"] == [id_], id_


@pytest.mark.parametrize("id_", ["a/signal", "b/cancel", "..", "signal"])
async def test_every_id_takes_messages(web: Web, id_: str) -> None:
    run = await web.node.start(approve, id=id_)
    sent = await web.http.post(address(id_, "/signal"), json={"name": "approval", "value": 7})
    assert sent.status_code == 202, sent.text
    assert await run.result() == 7
    other = await web.node.start(approve, id=f"{id_}-2")
    ended = await web.http.post("/api/v1/instances/-/terminate", params={"id": other.id})
    assert ended.status_code == 202, ended.text


async def test_slashes_that_are_not_escaped_are_taken_where_nothing_else_is_meant(web: Web) -> None:
    await web.node.start(one, 1, id="a/b")
    assert (await web.http.get("/api/v1/instances/a/b")).json()["id"] == "a/b"
    assert (await web.http.get("/api/v1/instances/a/b/events")).json()[0]["data"]["input"] == [1]
    assert (await web.http.get("/api/v1/instances/a/events")).status_code == 404


async def test_a_query_beside_another_id_changes_nothing(web: Web) -> None:
    await web.node.start(one, 1, id="a")
    await web.node.start(one, 2, id="b")
    assert (await web.http.get("/api/v1/instances/a", params={"id": "b"})).json()["id"] == "a"
