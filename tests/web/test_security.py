"""The door and the guard: hosts, origins, headers, forms, and hostile text in pages."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.web import flows
from tests.web.conftest import Web
from tests.web.test_login import field

START = "/api/v1/instances"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
FOREIGN = "this request comes from a page of another site"


@pytest.mark.parametrize("host", ["localhost:4000", "LOCALHOST", "127.0.0.1:9", "[::1]:4000", "[::1]"])
async def test_names_of_this_machine_are_answered(web: Web, host: str) -> None:
    assert (await web.http.get("/", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:4000", "127.0.0.1.evil.example", "192.0.2.1", ""]
)
async def test_other_names_are_refused(web: Web, host: str) -> None:
    for path in ("/", START, "/live?view=nodes", "/health/live"):
        answer = await web.http.get(path, headers={"host": host})
        assert answer.status_code == 421
        sentence = answer.json()["detail"] if path.startswith(("/api", "/health")) else answer.text
        assert sentence == (
            f"this server does not answer as {host!r}: use localhost, or set host to that name and a token"
        )


async def test_with_a_token_any_name_is_answered(closed: Web) -> None:
    assert (await closed.http.get("/login", headers={"host": "flows.example"})).status_code == 200


CROSS = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:4001"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://localhost:4000", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
]


@pytest.mark.parametrize("headers", CROSS)
async def test_other_sites_send_nothing(web: Web, headers: dict[str, str]) -> None:
    await web.http.get("/")
    csrf = web.http.cookies["orquestrax_csrf"]
    for answer in (
        await web.http.post(START, json={"definition": "one", "input": 1}, headers=headers),
        await web.http.post("/start/one", data={"csrf": csrf}, headers=headers),
    ):
        assert answer.status_code == 403
        assert FOREIGN in answer.text
    assert await web.rows() == 0


@pytest.mark.parametrize("headers", CROSS[:5])
async def test_other_sites_open_no_stream(web: Web, headers: dict[str, str]) -> None:
    answer = await web.http.get("/live?view=nodes", headers=headers)
    assert (answer.status_code, answer.text) == (403, FOREIGN)


async def test_a_link_on_another_site_leads_here_but_no_frame_does(web: Web) -> None:
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert (await web.http.get("/", headers=visit)).status_code == 200
    assert (await web.http.get("/", headers={**visit, "sec-fetch-dest": "iframe"})).status_code == 403


async def test_own_pages_send(web: Web) -> None:
    own = {"origin": "http://localhost:4000", "sec-fetch-site": "same-origin"}
    assert (
        await web.http.post(START, json={"definition": "one", "input": 1}, headers=own)
    ).status_code == 201


async def test_every_answer_has_the_headers(web: Web) -> None:
    for path in ("/", "/nix", START, "/health/live", "/login", "/live"):
        headers = (await web.http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("csrf", [None, "", "wrong"])
async def test_a_form_needs_its_token(web: Web, csrf: str | None) -> None:
    await web.http.get("/")
    for path in ("/actions/test", "/actions/theme", "/actions/cancel", "/start/one"):
        answer = await web.http.post(path, data={} if csrf is None else {"csrf": csrf})
        assert answer.status_code == 403
    assert await web.rows() == 0


async def test_a_form_holds_no_text_that_cannot_be_stored(web: Web) -> None:
    csrf = field(await web.http.get("/"), "csrf")
    await web.node.start(flows.approve, id="f")
    before = await web.rows()
    for content, sentence in (
        (f"csrf={csrf}&id=f&name=a%00b", "the field &#39;name&#39; holds a NUL character; remove it"),
        (f"csrf={csrf}&id=f%00&name=a", "the field &#39;id&#39; holds a NUL character; remove it"),
    ):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await web.http.post("/actions/signal", content=content, headers=headers)
        assert answer.status_code == 422
        assert sentence in answer.text
    assert await web.rows() == before


async def test_a_form_holds_no_half_of_a_surrogate_pair(web: Web) -> None:
    csrf = field(await web.http.get("/"), "csrf")
    parts = {"csrf": csrf, "id": "f", "name": "\\ud800"}
    body = "".join(
        f'--b\r\ncontent-disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in parts.items()
    )
    headers = {"content-type": "multipart/form-data; boundary=b; charset=unicode_escape"}
    answer = await web.http.post("/actions/signal", content=f"{body}--b--\r\n", headers=headers)
    assert answer.status_code == 422
    assert "the field &#39;name&#39; holds half of a surrogate pair; remove it" in answer.text


async def test_a_large_form_is_refused(web: Web) -> None:
    csrf = field(await web.http.get("/"), "csrf")
    answer = await web.http.post("/start/one", data={"csrf": csrf, "json": "x" * 3_000_000})
    assert answer.status_code == 413
    assert "the body is over the limit of 1,000,000 bytes" in answer.text


def harmless(page: httpx.Response) -> bool:
    """Whether hostile text is text: no tag of it, and no way out of an attribute."""
    return (
        "<script>alert" not in page.text
        and "<img src=x" not in page.text
        and not re.search(r"[\"']><img", page.text)
    )


async def test_hostile_text_stays_text(web: Web) -> None:
    run = await web.node.start(flows.one, {EVIL: [EVIL]}, id=EVIL)
    await run.result(20)
    approve = await web.node.start(flows.approve, id=f"a{EVIL}")
    await approve.cancel(EVIL)
    shown = await web.http.get(
        "/workflows/" + httpx.QueryParams({"": EVIL}).__str__()[1:].replace("+", "%20")
    )
    assert shown.status_code == 200
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown.text
    for page in (
        shown,
        await web.http.get("/"),
        await web.http.get("/", params={"search": EVIL, "definition": EVIL, "status": EVIL}),
        await web.http.get("/workflows/nix" + EVIL),
        await web.http.get("/start/" + EVIL),
        await web.http.get("/nix/" + EVIL),
        await web.http.get("/definitions/" + EVIL),
    ):
        assert page.status_code in (200, 404, 422)
        assert page.headers["content-type"].startswith("text/html")
        assert harmless(page), page.text


async def test_hostile_text_in_forms_stays_text(web: Web) -> None:
    csrf = field(await web.http.get("/"), "csrf")
    for path, fields in (
        ("/start/one", {"id": EVIL * 9, "mode": "json", "json": EVIL, "do": "start"}),
        ("/actions/signal", {"id": EVIL, "name": EVIL}),
        ("/actions/" + EVIL, {"id": EVIL}),
    ):
        page = await web.http.post(path, data={"csrf": csrf, **fields})
        assert page.status_code in (404, 422), path
        assert harmless(page), page.text


async def test_hostile_text_in_problems_is_json(web: Web) -> None:
    answer = await web.http.get(f"{START}/{EVIL}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
