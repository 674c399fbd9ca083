"""Errors as pages of the same look: one sentence, and never a traceback."""

from __future__ import annotations

import logging
import secrets
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orquestrax.base.errors import (
    Conflict,
    DatabaseError,
    InstanceEnded,
    InvalidInput,
    InvalidState,
    NotFound,
    OrquestraxError,
)
from orquestrax.web.api.problems import of_error
from orquestrax.web.places import is_api, is_page
from orquestrax.web.render import page

log = logging.getLogger(__name__)
STATUSES: Final[tuple[tuple[type[OrquestraxError], int, str], ...]] = (
    (NotFound, 404, "Not found"),
    (Conflict, 409, "Conflict"),
    (InstanceEnded, 409, "It has ended"),
    (InvalidState, 409, "Not as it stands"),
    (InvalidInput, 422, "That does not fit"),
    (DatabaseError, 503, "The database does not answer"),
)
_HTTP: Final = {403: "Refused", 404: "Not found", 405: "Not possible", 413: "Too large"}


def install(app: FastAPI) -> None:
    """Answer errors of pages with pages. Call it before the guard is put around, so that it is inside."""
    app.add_exception_handler(OrquestraxError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(LastResort)


class LastResort:
    """ASGI middleware: answers what nothing else caught, within the guard, so that its headers are on it too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            answer = await _unexpected(Request(scope), error)
            await answer(scope, receive, send)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if is_api(request):
        return of_error(error)
    return await request_validation_exception_handler(request, error)


async def _ours(request: Request, error: Exception) -> Response:
    if is_api(request):
        return of_error(error)
    for kind, status, title in STATUSES:
        if isinstance(error, kind):
            return _answer(request, status, title, str(error))
    return _answer(request, 500, "That failed", str(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if is_api(request):
        return of_error(error)
    if not is_page(request):
        return await http_exception_handler(request, error)
    sentence = str(error.detail)
    if sentence == "Not Found":
        sentence = f"there is nothing at {request.url.path}"
    return _answer(request, error.status_code, _HTTP.get(error.status_code, "That failed"), sentence)


async def _unexpected(request: Request, error: Exception) -> Response:
    if is_api(request):
        return of_error(error)
    number = secrets.token_hex(4)
    log.error("request %s to %s failed", number, request.url.path, exc_info=error)
    return _answer(request, 500, "Something broke here", f"The log tells more under the number {number}.")


def _answer(request: Request, status: int, title: str, sentence: str) -> Response:
    if not is_page(request):
        return Response(sentence, status, media_type="text/plain")
    return page(request, "error.html", status=status, title=title, code=str(status), sentence=sentence)
