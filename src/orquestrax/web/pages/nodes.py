"""The Cluster page; and in `dev` what one can do to it: start a fan-out, kill a node in the middle of it."""

from __future__ import annotations

import os
import secrets
from typing import Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.background import BackgroundTask

from orquestrax.base.errors import InvalidInput
from orquestrax.web.context import Neighbours, context_of
from orquestrax.web.inputs import encode_input
from orquestrax.web.live.cluster import may_be_killed, read_cluster
from orquestrax.web.places import prefix_of
from orquestrax.web.render import Links, page
from orquestrax.web.security import CheckedForm

router = APIRouter(include_in_schema=False)
FAN_OUT: Final = "test_fan_out"


@router.get("/nodes")
async def nodes(request: Request) -> Response:
    """The nodes, and how the steps of the instance `run` (an id) are spread over them. Raises NotFound."""
    return await _page(request, request.query_params.get("run", ""))


@router.post("/actions/fan-out")
async def fan_out(request: Request, _form: CheckedForm) -> Response:
    """Start `test_fan_out` under a new id, and watch it on this page."""
    context = context_of(request)
    _only_in_dev(context.neighbours)
    ready = await encode_input(context, FAN_OUT, None)
    run = await context.dashboard.start_encoded(FAN_OUT, *ready, id=f"fan-out-{secrets.token_hex(3)}")
    return RedirectResponse(Links(prefix_of(request)).to("/nodes", run=run.id), 303)


@router.post("/actions/kill")
async def kill(request: Request, form: CheckedForm) -> Response:
    """Kill a node that `dev` has started, as a crash would."""
    context, run = context_of(request), str(form.get("run", ""))
    neighbours = _only_in_dev(context.neighbours)
    node = next((each for each in await context.store.nodes() if str(each.fence) == form.get("node")), None)
    if node is None or not may_be_killed(node, neighbours):
        raise InvalidInput("that node is not there any more, or was not started by this `orquestrax dev`")
    if node.pid != os.getpid():
        neighbours.kill(node.pid)
        return RedirectResponse(Links(prefix_of(request)).to("/nodes", run=run), 303)
    # It is this process: the answer first, and nothing else on this connection.
    answer = await _page(request, run)
    answer.headers["connection"] = "close"

    async def end() -> None:
        neighbours.kill(node.pid)

    answer.background = BackgroundTask(end)
    return answer


async def _page(request: Request, run: str) -> Response:
    context = context_of(request)
    key: UUID | None = (await context.client.view(run)).key if run else None
    shown = await read_cluster(context, key)
    return page(
        request,
        "nodes/page.html",
        section="Cluster",
        c=shown,
        run=run,
        dev=context.neighbours is not None,
        now=shown.now,
        clock=shown.now,
        live=Links(prefix_of(request)).to("/live", view="nodes", run=key),
    )


def _only_in_dev(neighbours: Neighbours | None) -> Neighbours:
    if neighbours is None:
        raise HTTPException(403, "only `orquestrax dev` has nodes that are there to be killed")
    return neighbours
