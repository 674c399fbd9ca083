"""The OpenAPI document: valid, complete, and kept by the app for good data and bad."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import fields
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orquestrax.client.views import RunStatus
from orquestrax.web.api.answers import instance
from tests.engine.conftest import Bench
from tests.web import flows
from tests.web.conftest import TOKEN, Web, make_web

DOCUMENT = "/api/v1/openapi.json"
BEARER = {"authorization": f"Bearer {TOKEN}"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object within."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from parts(child)


async def document_of(web: Web) -> dict[str, Any]:
    answer = await web.http.get(DOCUMENT, headers=BEARER)
    found: dict[str, Any] = answer.json()
    return found


async def test_references_lead_somewhere_and_schemas_are_schemas(closed: Web) -> None:
    document = await document_of(closed)
    schemas = document["components"]["schemas"]
    assert document["openapi"].startswith("3.1")
    references = {part["$ref"] for part in parts(document) if isinstance(part.get("$ref"), str)}
    assert "#/components/schemas/Problem" in references
    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= set(schemas)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_examples_fit_what_they_are_examples_of(closed: Web) -> None:
    document = await document_of(closed)
    found = [part for part in parts(document) if isinstance(part.get("examples"), list)]
    assert len(found) > 10
    for part in found:
        for example in part["examples"]:
            jsonschema.validate(example, {**part, "components": document["components"]})


async def test_every_operation_tells_how_it_fails(closed: Web) -> None:
    document = await document_of(closed)
    assert document["security"] == [{"token": []}]
    names = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names.add(operation["operationId"])
            expected = {"403", "413", "421", "422"}
            expected |= set() if path.startswith("/health/") else {"401", "429", "503"}
            expected |= {"400", "404", "409", "415"} if method == "post" else set()
            assert expected <= set(operation["responses"]), path
            assert operation.get("security") == ([] if path.startswith("/health/") else None)
    assert {"start_instance", "show_instance", "list_instances", "signal_instance"} <= names


async def test_without_a_token_none_is_asked_for(web: Web) -> None:
    document = await document_of(web)
    assert "security" not in document
    assert "securitySchemes" not in document["components"]


async def test_answers_have_the_documented_fields(web: Web) -> None:
    run = await web.node.start(flows.one, 1, id="x")
    assert set(instance(await web.node.view(run.id))) == {field.name for field in fields(RunStatus)}


def bridge(app: ASGIApp, loop: asyncio.AbstractEventLoop) -> ASGIApp:
    """The app, called from another thread's loop, while it lives in `loop` with its pool."""

    async def bridged(scope: Scope, receive: Receive, send: Send) -> None:
        asked, answered = await receive(), []

        async def given_receive() -> Message:
            return asked

        async def collect(message: Message) -> None:
            answered.append(message)

        work = asyncio.run_coroutine_threadsafe(app(scope, given_receive, collect), loop)  # type: ignore[arg-type]
        await asyncio.wrap_future(work)
        for message in answered:
            await send(message)

    return bridged


def aim(case: schemathesis.Case) -> None:
    """Ask for what is there, so that values get past the names."""
    if "id" in case.path_parameters:
        case.path_parameters["id"] = "order-42"
    if isinstance(case.body, dict) and "definition" in case.body:
        case.body["definition"] = "one"


def conform(app: ASGIApp, mode: GenerationMode) -> dict[int, int]:
    """Ask every operation with generated data; returns how often each status was answered."""
    schema = schemathesis.openapi.from_asgi(DOCUMENT, app)
    statuses: dict[int, int] = {}
    for found in schema.get_all_operations():
        operation = found.ok()

        @seed(20_26)
        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        def ask(case: schemathesis.Case, known: bool) -> None:
            if known:
                aim(case)
            answer = case.call()
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            case.validate_response(answer, checks=CHECKS)

        with suppress(Unsatisfiable):  # where nothing is asked for, nothing can be asked for wrongly
            ask()
    return statuses


@pytest.mark.verify
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_generated_data_gets_documented_answers(bench: Bench, mode: GenerationMode) -> None:
    async with AsyncExitStack() as stack:
        web = await make_web(bench, stack, None, host="testserver")  # the name that schemathesis calls it by
        await web.node.start(flows.approve, id="order-42")
        app = bridge(web.app, asyncio.get_running_loop())
        statuses = await asyncio.to_thread(conform, app, mode)
    expected = {400, 422} if mode is GenerationMode.NEGATIVE else {200, 201, 202, 404}
    assert expected <= set(statuses)
    assert sum(statuses.values()) > 60
