"""Start, list, look, signal, cancel, terminate."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response

from orquestrax.base.errors import InvalidInput, NotFound
from orquestrax.client.client import Client
from orquestrax.client.inputs import encode_by_schema
from orquestrax.client.views import HistoryEvent, RunStatus
from orquestrax.core.store.clientverbs import InstanceView
from orquestrax.model.states import Status
from orquestrax.web.api.models import (
    Event,
    Instance,
    InstancePage,
    OrderRequest,
    SignalRequest,
    StartRequest,
)
from orquestrax.web.api.problems import documented
from orquestrax.web.context import WebContext, context_of

router = APIRouter(tags=["instances"])


@router.post(
    "/instances", status_code=201, responses=documented(200, 400, 404, 409, 413, 422, model=Instance)
)
async def start(request: Request, response: Response, body: StartRequest) -> Instance:
    """Start an instance: stored as `pending`, then claimed by a node. Idempotent on `id`; 200 if it was there."""
    context = context_of(request)
    sent = "input" in body.model_fields_set
    version, encoded, digest = await _encode(
        context, body.definition, msgspec.json.encode(body.input) if sent else None
    )
    client = _api_client(context)
    known = body.id is not None and await context.store.by_id(body.id) is not None
    run = await client.start_encoded(
        body.definition, version, encoded, digest, id=body.id, priority=body.priority
    )
    if known:
        response.status_code = 200
    return Instance.of(await run.status())


@router.get("/instances", responses=documented(400, 422))
async def list_instances(
    request: Request,
    status: Annotated[list[Status] | None, Query()] = None,
    definition: Annotated[str | None, Query(max_length=200)] = None,
    search: Annotated[str | None, Query(max_length=255, description="a part of the id")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[UUID | None, Query(description="the cursor `next` of the page before")] = None,
) -> InstancePage:
    """Instances, newest first."""
    views = await context_of(request).store.list(
        statuses=status, definition=definition, search=search, before=after, limit=limit + 1
    )
    shown = views[:limit]
    following = str(shown[-1].key) if len(views) > limit else None
    return InstancePage(items=[Instance.of(RunStatus.of(view)) for view in shown], next=following)


@router.get("/instances/{id:path}/events", responses=documented(404, 422))
async def events(
    request: Request,
    id: str,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="events behind this seq")] = -1,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[Event]:
    """The history, oldest first."""
    context = context_of(request)
    view = await context.client.view(id)
    beginning = HistoryEvent.beginning(view) if after < 0 else []
    stored = await context.store.events(view.key, after=max(after, 0), limit=limit)
    return [Event.of(event) for event in [*beginning, *map(HistoryEvent.of, stored)][:limit]]


@router.post("/instances/{id:path}/signal", status_code=202, responses=documented(400, 404, 409, 413, 422))
async def signal(request: Request, id: str, body: SignalRequest) -> dict[str, bool]:
    """Send a signal. Accepted means that it will be in the history, exactly once."""
    run = await context_of(request).client.get(id)
    await run.signal(body.name, body.value, message_id=body.message_id)
    return {"accepted": True}


@router.post("/instances/{id:path}/cancel", status_code=202, responses=documented(400, 404, 409, 422))
async def cancel(request: Request, id: str, body: OrderRequest | None = None) -> dict[str, bool]:
    """Ask the instance to end; its code may clean up."""
    run, order = await context_of(request).client.get(id), body or OrderRequest()
    await run.cancel(order.reason, message_id=order.message_id)
    return {"accepted": True}


@router.post("/instances/{id:path}/terminate", status_code=202, responses=documented(400, 404, 409, 422))
async def terminate(request: Request, id: str, body: OrderRequest | None = None) -> dict[str, bool]:
    """End the instance at once; none of its code runs any more."""
    run, order = await context_of(request).client.get(id), body or OrderRequest()
    await run.terminate(order.reason, message_id=order.message_id)
    return {"accepted": True}


@router.get("/instances/{id:path}", responses=documented(404, 422))
async def show(request: Request, id: str) -> Instance:
    """One instance."""
    view: InstanceView = await context_of(request).client.view(id)
    return Instance.of(RunStatus.of(view))


async def _encode(context: WebContext, name: str, raw: bytes | None) -> tuple[str, bytes, bytes]:
    """Version, arguments and digest: by the code if it is here, else by the registered schema."""
    workflow: Any = context.workflows.get(name)
    if workflow is not None:
        encoded: bytes = workflow.signature.decode_input(raw)
        return workflow.version, encoded, workflow.signature.digest(encoded)
    known = await context.store.definitions(name)
    if not known:
        raise NotFound(f"no definition is named {name!r}: `orquestrax definitions` shows what is registered")
    if raw is not None and len(raw) == 0:
        raise InvalidInput("the input is empty")
    return known[0].version, *encode_by_schema(known[0], raw)


def _api_client(context: WebContext) -> Client:
    return Client(context.store, context.hints, created_by="api")
