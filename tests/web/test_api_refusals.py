"""REST: bad input, each with its one sentence, its status, its code, and nothing written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web import flows
from tests.web.conftest import Web

START = "/api/v1/instances"
JSON = {"content-type": "application/json"}
LONG = "x" * 256
LINES = {workflow.name: str(workflow.line) for workflow in flows.WORKFLOWS.values()}
TOO_LARGE = "the body is over the limit of 1,000,000 bytes; store the data elsewhere and pass where it is"
BODIES: list[tuple[str, int, str, str]] = [
    ('{"definition": "nix"}', 404, "OX1300",
     "no definition is named 'nix': `orquestrax definitions` shows what is registered"),
    ('{"definition": "greet", "input": {"name": 7}}', 422, "OX1201",
     "workflow 'greet' (tests/web/flows.py:{greet}), argument 'name': expected str, got int"),
    ('{"definition": "greet", "input": {"nome": "Ada"}}', 422, "OX1201",
     "workflow 'greet' (tests/web/flows.py:{greet}): it has no argument 'nome'; it takes name, times (optional)"),
    ('{"definition": "greet"}', 422, "OX1201",
     "workflow 'greet' (tests/web/flows.py:{greet}): the input lacks 'name'; it takes name, times (optional)"),
    ('{"definition": "greet",\n "input": [1,}', 400, "OX1200",
     "the body: not valid JSON: expecting value at line 2, column 14"),
    ("", 422, "OX1200", "body: field required"),
    ('{"definition": "one", "input": NaN}', 400, "OX1200",
     "the body: not valid JSON: NaN is not a JSON number; use null or text"),
    ("[" * 20_000, 400, "OX1200", "the body: the JSON is nested too deeply"),
    ('{"definition": "one", "input": "\\ud800"}', 422, "OX1200",
     "the body: the JSON holds half of a surrogate pair, which is no character"),
    ('{"definition": "one", "input": {"a": "x\\u0000"}}', 422, "OX1201",
     ("workflow 'one' (tests/web/flows.py:{one}), argument 'value': "
     "text with a NUL character at $.a cannot be stored; remove it, PostgreSQL stores none")),
    ('{"definition": "one", "input": 1, "id": "a\\u0000b"}', 422, "OX1203",
     "an id must hold no control character, but 'a\\x00b' has one at position 1"),
    ('{"definition": "o\\u0000", "input": 1}', 422, "OX1200",
     "a definition's name holds no control character, but 'o\\x00' has one"),
    (f'{{"definition": "one", "input": 1, "id": "{LONG}"}}', 422, "OX1203",
     "an id must have 1 to 255 characters, but 'xxxxxxxxxxxxxxxxxxxx'… has 256"),
    ('{"definition": "one", "input": 1, "id": ""}', 422, "OX1203",
     "an id must have 1 to 255 characters, but it is empty"),
    ('{"definition": "one", "input": 1, "priority": 9}', 422, "OX1200",
     "body.priority: input should be less than or equal to 4"),
    ('{"definition": "one", "input": 1, "prio": 1}', 422, "OX1200",
     "body.prio: extra inputs are not permitted"),
    ('{"definition": "one", "input": "' + "x" * 3_000_000 + '"}', 413, "OX1202", TOO_LARGE),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code", "sentence"), BODIES, ids=range(len(BODIES)))
async def test_a_bad_start_writes_nothing(web: Web, body: str, status: int, code: str, sentence: str) -> None:
    answer = await web.http.post(START, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (status, sentence.format(**LINES))
    assert (answer.json()["code"], answer.json()["status"]) == (code, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await web.rows() == 0


async def test_a_large_body_without_a_length_is_refused_while_it_arrives(web: Web) -> None:
    sent = 0

    async def chunks() -> Any:
        nonlocal sent
        yield b'{"definition": "one", "input": "'
        while sent < 3_000_000:
            sent += 10_000
            yield b"x" * 10_000
        yield b'"}'

    answer = await web.http.post(START, content=chunks(), headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (413, TOO_LARGE)
    assert sent <= 1_020_000
    assert await web.rows() == 0


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
async def test_what_a_form_can_send_is_refused(web: Web, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    body = b'{"definition": "one", "input": 1}'
    answer = await web.http.post(START, content=body, headers=headers)
    assert answer.status_code == 415
    assert answer.json()["detail"] == (
        f"the API takes JSON, {f'not {kind}' if kind else 'and says so'}: send content-type: application/json"
    )
    assert await web.rows() == 0


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("search=a%00b", "the query parameter 'search' holds a NUL character; remove it"),
        ("definition=%00", "the query parameter 'definition' holds a NUL character; remove it"),
        ("a%00=1", "the name of a query parameter holds a NUL character; remove it"),
        ("limit=0", "query.limit: input should be greater than or equal to 1"),
        ("after=x", "query.after: input should be a valid uuid"),
    ],
)
async def test_bad_queries(web: Web, query: str, sentence: str) -> None:
    answer = await web.http.get(f"{START}?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(sentence)


async def test_bad_ids_in_addresses(web: Web) -> None:
    answers = [await web.http.get(f"{START}/{id_}") for id_ in ("a%00b", "nix", LONG, "a%01")]
    assert [answer.status_code for answer in answers] == [422, 404, 422, 422]
    assert answers[0].json()["detail"] == "the path holds a NUL character; remove it"
    assert answers[1].json()["detail"] == (
        "there is no instance with the id 'nix': `orquestrax list` shows what there is"
    )


async def test_another_input_under_the_same_id(web: Web) -> None:
    await web.http.post(START, json={"definition": "one", "id": "i", "input": 1})
    answer = await web.http.post(START, json={"definition": "one", "id": "i", "input": 2})
    assert (answer.status_code, answer.json()["code"]) == (409, "OX1301")
    assert answer.json()["detail"] == "the id 'i' belongs to an instance of 'one' with another input"


async def test_what_has_ended_takes_no_messages(web: Web) -> None:
    await web.http.post(START, json={"definition": "one", "id": "e", "input": 1})
    await (await web.node.get("e")).result(20)
    before = await web.rows()
    for verb, body in (("signal", {"name": "x"}), ("cancel", {}), ("terminate", {"reason": "r"})):
        answer = await web.http.post(f"{START}/e/{verb}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "OX1302")
        assert answer.json()["detail"] == "the instance has ended and takes no more messages"
    assert await web.rows() == before


@pytest.mark.parametrize(
    ("verb", "body", "sentence"),
    [
        ("signal", '{"name": "a\\u0000"}', "a signal's name holds no control character, but 'a\\x00' has one"),
        ("signal", '{"name": "a", "message_id": ""}', "a message's id has 1 to 255 characters, but ''… has 0"),
        ("signal", '{"name": "a", "value": "\\u0000"}',
         "value: text with a NUL character cannot be stored; remove it, PostgreSQL stores none"),
        ("cancel", '{"reason": "\\u0000"}',
         "value: text with a NUL character cannot be stored; remove it, PostgreSQL stores none"),
        ("terminate", '{"reason": "\\udc00"}',
         "the body: the JSON holds half of a surrogate pair, which is no character"),
    ],
)  # fmt: skip
async def test_bad_messages_are_not_sent(web: Web, verb: str, body: str, sentence: str) -> None:
    await web.http.post(START, json={"definition": "approve", "id": "m"})
    answer = await web.http.post(f"{START}/m/{verb}", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)
    assert await web.rows() == 1


async def test_unknown_addresses_and_methods_are_problems(web: Web) -> None:
    missing, wrong = await web.http.get("/api/v1/nix"), await web.http.put(START, json={})
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert missing.json()["detail"] == (
        "there is nothing at this address: /api/v1/openapi.json lists what there is"
    )
    assert wrong.headers["allow"]


async def test_what_breaks_is_told_to_the_log_alone(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("orquestrax.web.api.instances.instance", broken)
    monkeypatch.setattr("orquestrax.web.pages.home.rows_of", broken)
    await web.node.start(flows.one, 1, id="x")
    answer, page = await web.http.get(f"{START}/x"), await web.http.get("/")
    assert (answer.status_code, page.status_code) == (500, 500)
    assert "secret" not in answer.text + page.text
    assert answer.json()["request_id"] in caplog.text
    assert "secret detail" in caplog.text
    assert "content-security-policy" in page.headers
