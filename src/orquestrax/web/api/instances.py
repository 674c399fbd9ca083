"""Start, list, look, signal, cancel, terminate, pause, resume."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response

from orquestrax.base.ids import MAX_ID
from orquestrax.client.client import Client
from orquestrax.client.handle import Run
from orquestrax.client.logs import LogEntry
from orquestrax.client.progress import StepProgress
from orquestrax.client.views import RunStatus
from orquestrax.model.states import Status
from orquestrax.web.api.addresses import InstanceId, InstanceRoute
from orquestrax.web.api.answers import answer, events, instance
from orquestrax.web.api.models import (
    Accepted,
    Event,
    InstancePage,
    Level,
    OrderRequest,
    SignalRequest,
    StartRequest,
)
from orquestrax.web.api.problems import BODIES, documented
from orquestrax.web.context import context_of
from orquestrax.web.inputs import encode_input

router = APIRouter(tags=["instances"], route_class=InstanceRoute)
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@router.post(
    "/instances",
    status_code=201,
    response_model=RunStatus,
    responses=documented(200, 404, 409, *BODIES, model=RunStatus),
)
async def start_instance(request: Request, body: StartRequest) -> Response:
    """Start an instance: stored as `pending`, then claimed by a node. Idempotent on `id`; 200 if it was there."""
    context = context_of(request)
    # As it was written, for decimals: read as a float, 1.10 would lose a digit.
    raw = bytes(_parts(await request.body())["input"]) if "input" in body.model_fields_set else None
    version, encoded, digest = await encode_input(context, body.definition, raw)
    client = Client(context.store, context.hints, created_by="api")
    known = body.id is not None and await context.store.by_id(body.id) is not None
    run = await client.start_encoded(
        body.definition, version, encoded, digest, id=body.id, priority=body.priority
    )
    return answer(instance(await client.view(run.id)), 200 if known else 201)


@router.get("/instances", response_model=InstancePage, responses=documented())
async def list_instances(
    request: Request,
    status: Annotated[list[Status] | None, Query()] = None,
    definition: Annotated[str | None, Query(max_length=MAX_ID)] = None,
    search: Annotated[
        str | None,
        Query(max_length=MAX_ID, description="how the id begins; of the newest 10,000, a part of it"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[UUID | None, Query(description="the cursor `next` of the page before")] = None,
) -> Response:
    """Instances, newest first."""
    views = await context_of(request).store.list(
        statuses=status, definition=definition, search=search, before=after, limit=limit + 1
    )
    shown = views[:limit]
    following = shown[-1].key if len(views) > limit else None
    return answer({"items": [instance(view) for view in shown], "next": following})


@router.get("/instances/{id:path}/events", response_model=list[Event], responses=documented(404))
async def list_events(
    request: Request,
    id: InstanceId,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="events behind this seq")] = -1,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Response:
    """The history, oldest first."""
    context = context_of(request)
    view = await context.client.view(id)
    stored = await context.store.events(view.key, after=max(after, 0), limit=limit)
    return answer(events(view, stored, beginning=after < 0)[:limit])


@router.get("/instances/{id:path}/logs", response_model=list[LogEntry], responses=documented(404))
async def list_logs(
    request: Request,
    id: InstanceId,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="records behind this number")] = 0,
    level: Annotated[Level, Query(description="the least level")] = "DEBUG",
    step: Annotated[
        str | None, Query(max_length=MAX_ID, description="of this step; - for the workflow")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Response:
    """What the workflow and its steps have logged, oldest first: at INFO and above, 1 MB at most, best effort."""
    found = await context_of(request).client.logs(id, after=after, level=level, step=step, limit=limit)
    return answer(found)


@router.get("/instances/{id:path}/progress", response_model=list[StepProgress], responses=documented(404))
async def list_progress(request: Request, id: InstanceId) -> Response:
    """How far the running steps are that say so, at most half a second old."""
    return answer(await context_of(request).client.progress(id))


@router.post("/instances/{id:path}/signal", status_code=202, responses=documented(404, 409, *BODIES))
async def signal_instance(request: Request, id: InstanceId, body: SignalRequest) -> Accepted:
    """Send a signal. Accepted means that it will be in the history, exactly once."""
    run = await context_of(request).client.get(id)
    await run.signal(body.name, body.value, message_id=body.message_id)
    return Accepted(accepted=True)


@router.post("/instances/{id:path}/cancel", status_code=202, responses=documented(404, 409, *BODIES))
async def cancel_instance(request: Request, id: InstanceId, body: OrderRequest | None = None) -> Accepted:
    """Ask the instance to end; its code may clean up."""
    run, order = await _ordered(request, id), body or OrderRequest()
    await run.cancel(order.reason, message_id=order.message_id)
    return Accepted(accepted=True)


@router.post("/instances/{id:path}/terminate", status_code=202, responses=documented(404, 409, *BODIES))
async def terminate_instance(request: Request, id: InstanceId, body: OrderRequest | None = None) -> Accepted:
    """End the instance at once; none of its code runs any more."""
    run, order = await _ordered(request, id), body or OrderRequest()
    await run.terminate(order.reason, message_id=order.message_id)
    return Accepted(accepted=True)


@router.post("/instances/{id:path}/pause", status_code=202, responses=documented(404, 409, *BODIES))
async def pause_instance(request: Request, id: InstanceId, body: OrderRequest | None = None) -> Accepted:
    """Let nothing of the instance start until it is resumed; steps that run may end."""
    run, order = await _ordered(request, id), body or OrderRequest()
    await run.pause(order.reason, message_id=order.message_id)
    return Accepted(accepted=True)


@router.post("/instances/{id:path}/resume", status_code=202, responses=documented(404, 409, *BODIES))
async def resume_instance(request: Request, id: InstanceId, body: OrderRequest | None = None) -> Accepted:
    """Let a paused instance go on."""
    run, order = await _ordered(request, id), body or OrderRequest()
    await run.resume(order.reason, message_id=order.message_id)
    return Accepted(accepted=True)


async def _ordered(request: Request, id_: str) -> Run[Any]:
    """The instance, for an order that says it came by the API."""
    context = context_of(request)
    return await Client(context.store, context.hints, created_by="api").get(id_)


@router.get("/instances/{id:path}", response_model=RunStatus, responses=documented(404))
async def show_instance(request: Request, id: InstanceId) -> Response:
    """One instance."""
    return answer(instance(await context_of(request).client.view(id)))
