"""Coming in where a token is set: with every request, or once for a session."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from orquestrax.web.auth.sessions import ABSOLUTE, IDLE
from orquestrax.web.auth.throttle import MOST, WITHIN
from tests.web.conftest import TOKEN, Web

BEARER = {"authorization": f"Bearer {TOKEN}"}
SESSION = "orquestrax_session"


async def log_in(http: httpx.AsyncClient, token: str = TOKEN, target: str = "") -> httpx.Response:
    """Fill in the form, as a person does."""
    form = await http.get("/login", params={"next": target} if target else {})
    return await http.post(
        "/login", data={"csrf": field(form, "csrf"), "next": field(form, "next"), "token": token}
    )


def field(page: httpx.Response, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(f'name="{name}" value="([^"]*)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


async def test_a_bearer_token_comes_in(closed: Web) -> None:
    for scheme in ("Bearer", "bearer"):
        answer = await closed.http.get("/api/v1/instances", headers={"authorization": f"{scheme} {TOKEN}"})
        assert answer.status_code == 200


@pytest.mark.parametrize("sent", [f"Bearer {TOKEN[:-1]}", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer ü" * 9])
async def test_anything_else_gets_the_same_answer_as_nothing(closed: Web, sent: str) -> None:
    wrong = await closed.http.get("/api/v1/instances", headers={"authorization": sent.encode()})
    none = await closed.http.get("/api/v1/instances")
    assert wrong.status_code == none.status_code == 401
    assert {**wrong.json(), "request_id": ""} == {**none.json(), "request_id": ""}
    assert none.json()["detail"] == "this needs the token: send the header `Authorization: Bearer TOKEN`"
    assert wrong.headers["www-authenticate"] == "Bearer"


async def test_a_person_logs_in_goes_on_and_leaves(closed: Web) -> None:
    sent_away = await closed.http.get("/start?a=1&b=2")
    assert sent_away.status_code == 303
    form = await closed.http.get(sent_away.headers["location"])
    assert field(form, "next") == "/start?a=1&b=2"
    answer = await log_in(closed.http, target="/start?a=1&b=2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/start?a=1&b=2")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(SESSION))
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Secure" not in cookie
    page = await closed.http.get("/start")
    assert page.status_code == 200
    assert (await closed.http.get("/api/v1/instances")).status_code == 200
    assert (await closed.http.get("/login")).status_code == 303
    kept = closed.http.cookies[SESSION]
    assert (await closed.http.post("/logout", data={"csrf": field(page, "csrf")})).headers[
        "location"
    ] == "/login"
    assert SESSION not in closed.http.cookies
    closed.http.cookies.set(SESSION, kept)
    assert (await closed.http.get("/start")).status_code == 303


async def test_the_cookie_is_for_tls_alone_where_there_is_tls(closed: Web) -> None:
    http = await closed.open(base="https://flows.example")
    answer = await log_in(http)
    assert all("secure" in cookie.lower() for cookie in answer.headers.get_list("set-cookie"))


async def test_each_login_has_an_id_and_a_form_token_of_its_own(closed: Web) -> None:
    await log_in(closed.http)
    first, form_token = closed.http.cookies[SESSION], closed.http.cookies["orquestrax_csrf"]
    other = await closed.open()
    other.cookies.set(SESSION, "planted")
    other.cookies.set("orquestrax_csrf", "planted")
    answer = await other.post("/login", data={"csrf": "planted", "token": TOKEN})
    given = {
        cookie.split("=")[0]: cookie.split("=")[1].split(";")[0]
        for cookie in answer.headers.get_list("set-cookie")
    }
    assert answer.status_code == 303
    assert "planted" not in given.values()
    assert given[SESSION] not in (first, "planted")
    assert given["orquestrax_csrf"] != form_token


async def test_logging_in_again_ends_the_session_before(closed: Web) -> None:
    await log_in(closed.http)
    before, csrf = closed.http.cookies[SESSION], closed.http.cookies["orquestrax_csrf"]
    await closed.http.post("/login", data={"csrf": csrf, "token": TOKEN})
    assert closed.http.cookies[SESSION] != before
    other = await closed.open(cookies={SESSION: before})
    assert (await other.get("/api/v1/instances")).status_code == 401


async def test_an_idle_session_ends_and_a_used_one_lasts(closed: Web) -> None:
    await log_in(closed.http)
    for _ in range(3):
        closed.clock.now += IDLE - 1
        assert (await closed.http.get("/api/v1/instances")).status_code == 200
    closed.clock.now += IDLE
    assert (await closed.http.get("/api/v1/instances")).status_code == 401


async def test_no_session_lasts_for_ever(closed: Web) -> None:
    await log_in(closed.http)
    opened = closed.clock.now
    while closed.clock.now + IDLE / 2 < opened + ABSOLUTE:
        closed.clock.now += IDLE / 2
        assert (await closed.http.get("/api/v1/instances")).status_code == 200
    closed.clock.now = opened + ABSOLUTE
    assert (await closed.http.get("/api/v1/instances")).status_code == 401


async def test_an_address_that_guesses_has_to_wait(closed: Web) -> None:
    for _ in range(MOST):
        answer = await log_in(closed.http, "x" * 40)
        assert answer.status_code == 401
        assert "That is not the token." in answer.text
        assert SESSION not in closed.http.cookies
    answer = await log_in(closed.http)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "61")
    assert SESSION not in closed.http.cookies
    assert (await closed.http.get("/api/v1/instances", headers=BEARER)).status_code == 429
    elsewhere = await closed.open(address="192.0.2.7")
    assert (await elsewhere.get("/api/v1/instances", headers=BEARER)).status_code == 200
    closed.clock.now += WITHIN
    assert (await log_in(closed.http)).status_code == 303


async def test_guesses_by_header_count_too_but_sessions_go_on(closed: Web) -> None:
    await log_in(closed.http)
    other = await closed.open()
    codes = [
        (await other.get("/api/v1/instances", headers={"authorization": "Bearer x"})).status_code
        for _ in range(MOST + 1)
    ]
    assert codes == [401] * MOST + [429]
    assert (await closed.http.get("/api/v1/instances")).status_code == 200


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "/\t/evil.example", "javascript:1",
     "/ok\r\nset-cookie: a=b", "evil"],
)  # fmt: skip
async def test_a_login_leads_only_to_own_pages(closed: Web, target: str) -> None:
    assert (await log_in(closed.http, target=target)).headers["location"] == "/"


async def test_a_login_needs_the_form_token(closed: Web) -> None:
    answer = await closed.http.post("/login", data={"token": TOKEN})
    assert answer.status_code == 403
    assert SESSION not in closed.http.cookies


async def test_before_a_login_little_is_read(closed: Web) -> None:
    answer = await log_in(closed.http, "x" * 20_000)
    assert answer.status_code == 413
    assert "the body is over the limit of 16,384 bytes" in answer.text


async def test_without_a_token_there_is_nothing_to_log_in_to(web: Web) -> None:
    assert (await web.http.get("/")).status_code == 200
    answer = await web.http.get("/login")
    assert answer.status_code == 404
    assert "no token is set" in answer.text


async def test_pages_offer_to_log_out_only_where_there_is_a_login(closed: Web, web: Web) -> None:
    page = await closed.http.get("/definitions", headers=BEARER)
    assert "Log out" in page.text
    assert "Log out" not in (await web.http.get("/definitions")).text
