"""New workflow: choose a definition, fill in a form made from its schema, start it."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from orquestrax.base.errors import Conflict, InvalidId, InvalidInput, NotFound
from orquestrax.web.context import context_of
from orquestrax.web.inputs import Encoded, encode_input
from orquestrax.web.places import prefix_of
from orquestrax.web.render import Links, page
from orquestrax.web.security import CheckedForm
from orquestrax.web.views.forms import code
from orquestrax.web.views.forms.draft import Draft
from orquestrax.web.views.forms.fields import fields_of
from orquestrax.web.views.forms.places import place_of
from orquestrax.web.views.forms.shape import shape_of
from orquestrax.web.views.forms.typed import Typed

router = APIRouter(include_in_schema=False)
UNFIT: Final = 422
REFUSED: Final = (InvalidInput, Conflict, UnicodeEncodeError)


@router.get("/start")
async def choose(request: Request) -> HTMLResponse:
    """The definitions that can be started."""
    found = await context_of(request).store.definitions()
    return page(request, "start/choose.html", section="Workflows", definitions=found)


@router.get("/start/{name:path}")
async def blank(request: Request, name: str) -> HTMLResponse:
    """The untouched form of a definition. Raises NotFound."""
    draft = await _draft(request, name, {})
    draft.fill()
    return _page(request, draft)


@router.post("/start/{name:path}")
async def send(request: Request, name: str, form: CheckedForm) -> Response:
    """Start it, or show the form again: with a sentence at what is wrong, or as a button asks."""
    typed = {key: value for key, value in form.items() if isinstance(value, str)}
    verb, _, path = typed.pop("do", "start").partition(" ")
    draft = await _draft(request, name, typed)
    match verb:
        case "add":
            draft.add(path)
        case "remove":
            draft.remove(path)
        case "json":
            draft.to_json()
        case "form":
            draft.to_fields()
        case "code":
            await _show_code(request, draft)
        case _:
            return await _start(request, draft)
    return _page(request, draft)


async def _draft(request: Request, name: str, typed: Typed) -> Draft:
    found = await context_of(request).store.definitions(name.replace("\0", ""))
    if not found:
        raise NotFound(f"no node has registered a definition of the name {name!r}")
    mode = typed.get("mode") or request.query_params.get("mode", "form")
    shape = shape_of(msgspec.json.decode(found[0].input_schema))
    return Draft(found[0], shape, typed, "json" if mode == "json" else "form")


async def _start(request: Request, draft: Draft) -> Response:
    _, ready = await _encoded(request, draft)
    if ready is not None:
        try:
            run = await context_of(request).dashboard.start_encoded(
                draft.definition.name, *ready, id=draft.id or None, priority=draft.priority
            )
        except REFUSED as error:
            _put(draft, error)
        else:
            return RedirectResponse(Links(prefix_of(request)).workflow(run.id), 303)
    return _page(request, draft, status=UNFIT)


async def _encoded(request: Request, draft: Draft) -> tuple[str | None, Encoded | None]:
    """The input as JSON, and encoded; None with a problem in the draft if it does not fit."""
    raw = draft.raw()
    if draft.problems:
        return raw, None
    try:
        sent = None if raw is None else raw.encode()
        return raw, await encode_input(context_of(request), draft.definition.name, sent)
    except REFUSED as error:
        _put(draft, error)
        return raw, None


def _put(draft: Draft, error: Exception) -> None:
    """Say what is wrong at the field that it is about."""
    if isinstance(error, InvalidId | Conflict):
        draft.problems["id"] = str(error)
    elif draft.shape is None or draft.mode == "json":
        draft.problems["json" if draft.shape else ""] = str(error)
    else:
        path, sentence = place_of(str(error), draft.shape, single=bool(draft.shape.label))
        draft.problems[path] = sentence


async def _show_code(request: Request, draft: Draft) -> None:
    raw, ready = await _encoded(request, draft)
    if ready is None:
        return
    name = draft.definition.name
    workflow = context_of(request).workflows.get(name)
    url = f"{request.url.scheme}://{request.url.netloc}{prefix_of(request)}/api/v1/instances"
    if workflow is not None:
        draft.snippets.append(("Python", code.as_python(workflow, ready.arguments, draft.id, draft.priority)))
    draft.snippets.append(("Command line", code.as_command(name, raw, draft.id, draft.priority)))
    draft.snippets.append(("curl", code.as_curl(url, name, raw, draft.id, draft.priority)))


def _page(request: Request, draft: Draft, *, status: int = 200) -> HTMLResponse:
    fields = fields_of(draft.shape, draft.typed, draft.problems) if draft.shape is not None else None
    return page(request, "start/form.html", status=status, section="Workflows", draft=draft, fields=fields)
