"""Deny by default: every route there is, asked by nobody, is closed, but for the few named here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Route

from orquestrax.web.assets import assets
from tests.web.conftest import TOKEN, Web

OPEN = {
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/static/{name}"),
}
JSON = {"content-type": "application/json"}


def routes_of(app: Any) -> Iterator[tuple[str, str]]:
    """Method and path of every route, also of routers within routers."""
    for context in iter_route_contexts(app.routes):
        route = getattr(context, "original_route", context)
        assert isinstance(route, APIRoute | Route), route
        for method in sorted((context.methods or set()) - {"HEAD"}):
            yield method, str(context.path)


async def test_every_route_is_closed_but_the_named_ones(closed: Web) -> None:
    routes = set(routes_of(closed.app))
    assert routes >= OPEN | {
        ("POST", "/logout"),
        ("GET", "/live"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/"),
    }
    for method, path in sorted(routes - OPEN):
        address = re.sub(r"\{[^}]*\}", "x", path)
        answer = await closed.http.request(method, address, headers=JSON)
        if address.startswith(("/api/", "/live")):
            assert answer.status_code == 401, path
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login"), path
        assert await closed.rows() == 0


async def test_what_is_no_route_is_closed_too(closed: Web) -> None:
    for method, path in (
        ("GET", "/docs"),
        ("GET", "/nix"),
        ("PUT", "/"),
        ("DELETE", "/login"),
        ("GET", "/health/live/x"),
    ):
        answer = await closed.http.request(method, path)
        assert answer.status_code in (303, 401), path
    for path in (
        "/api/v1/nix",
        "/api/v1/../../start",
        "/static/../start",
        "/static/a/b",
        "//start",
        "/health/nix",
    ):
        answer = await closed.http.get(path)
        assert answer.status_code in (303, 401), path


async def test_the_open_ones_answer_without_a_token(closed: Web) -> None:
    assert (await closed.http.get("/health/live")).status_code == 200
    assert (await closed.http.get("/health/ready")).status_code == 200
    form = await closed.http.get("/login")
    assert form.status_code == 200
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', form.text):
        assert (await closed.http.get(address)).status_code == 200
    assert f"/static/{assets()['style.css'].name}" in form.text


async def test_every_route_is_there_with_the_token(closed: Web) -> None:
    http = await closed.open(headers={"authorization": f"Bearer {TOKEN}"})
    for method, path in sorted(set(routes_of(closed.app))):
        address = re.sub(r"\{[^}]*\}", "x", path)
        if address != "/login":
            answer = await http.request(method, address, headers=JSON)
            assert answer.status_code not in (401, 405, 429, 500), path
            assert not answer.headers.get("location", "").startswith("/login") or path == "/logout", path


async def test_without_an_id_the_list_is_shown(web: Web) -> None:
    page = await web.http.get("/workflows", follow_redirects=True)
    assert (page.status_code, page.url.path) == (200, "/")
