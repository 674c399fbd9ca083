"""The page of one instance, and what one can do to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from orquestrax.base.codec import ANY
from orquestrax.base.errors import InstanceEnded, InvalidInput, InvalidState
from orquestrax.client.handle import Run
from orquestrax.core.store.logs import LogStore
from orquestrax.web.context import context_of
from orquestrax.web.live.details import DetailView, read_details
from orquestrax.web.live.logs import LogsView, read_logs
from orquestrax.web.places import prefix_of
from orquestrax.web.render import Links, page
from orquestrax.web.security import CheckedForm
from orquestrax.web.views.logs import LogFilters

router = APIRouter(include_in_schema=False)
UNFIT = 422


@router.get("/workflows/{id_:path}")
async def instance(request: Request, id_: str) -> Response:
    """Everything about one instance; without an id the list. Raises NotFound, InvalidId."""
    named = id_ or request.query_params.get("id", "")
    if not named:
        return RedirectResponse(Links(prefix_of(request)).to("/"))
    return await _page(request, named, {"action": ""})


async def _page(request: Request, id_: str, form: dict[str, Any], *, status: int = 200) -> HTMLResponse:
    context, base, query = context_of(request), prefix_of(request), request.query_params
    key: UUID = (await context.client.view(id_)).key
    on_logs = query.get("tab") == "logs" and not form["action"]
    view = DetailView(key, base, frozenset(query.getlist("full")), head_only=on_logs)
    shown = (await read_details(context.store, context.reads, [view], {}))[view]
    tab = await _logs_tab(request, key, id_) if on_logs else _summary_tab(base, view)
    return page(
        request,
        "detail/page.html",
        status=status,
        section="Workflows",
        now=shown.now,
        clock=shown.now,
        icon=shown.look.tone,
        d=shown,
        id=id_,
        view=view,
        form=form,
        **tab,
    )


def _summary_tab(base: str, view: DetailView) -> dict[str, Any]:
    return {"tab": "", "live": Links(base).to("/live", view="detail", key=view.key, full=sorted(view.full))}


async def _logs_tab(request: Request, key: UUID, id_: str) -> dict[str, Any]:
    """What the Logs tab shows beside the head of the page."""
    filters, base = LogFilters.of(request.query_params), prefix_of(request)
    view = LogsView(key, id_, base, filters)
    shown = await read_logs(LogStore(context_of(request).store.database), view)
    live = Links(base).to("/live", view="logs", key=key, id=id_, **filters.query())
    return {"tab": "logs", "live": live, "logs": shown, "logs_view": view}


@router.post("/actions/{action}")
async def act(request: Request, action: str, form: CheckedForm) -> Response:
    """Send a signal or an order (cancel, terminate, pause, resume); what comes of it arrives on the stream."""
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    id_ = fields.get("id", "")
    run: Run[Any] = await context_of(request).dashboard.get(id_)
    try:
        await _send(run, action, fields)
    except (InvalidInput, InvalidState, InstanceEnded) as error:
        return await _page(request, id_, {**fields, "action": action, "problem": str(error)}, status=UNFIT)
    return RedirectResponse(Links(prefix_of(request)).workflow(id_), 303)


async def _send(run: Run[Any], action: str, fields: dict[str, str]) -> None:
    match action:
        case "signal":
            text = fields.get("value", "").strip()
            name = fields.get("name", "").strip() or await _awaited(run)
            await run.signal(name, ANY.decode(text) if text else None)
        case "cancel":
            await run.cancel(fields.get("reason", "").strip())
        case "terminate":
            await run.terminate(fields.get("reason", "").strip())
        case "pause":
            await run.pause(fields.get("reason", "").strip())
        case "resume":
            await run.resume(fields.get("reason", "").strip())
        case _:
            raise InvalidInput(f"there is no action {action!r}")


async def _awaited(run: Run[Any]) -> str:
    """The name of the one signal that the instance waits for."""
    names = {wait["name"] for wait in (await run.status()).waits if wait["kind"] == "signal"}
    if len(names) != 1:
        raise InvalidInput("give the name of the signal: the instance does not wait for just one")
    return str(names.pop())
