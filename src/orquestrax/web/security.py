"""The guard of the web room: headers on every answer, origins on every unsafe request, a token in every form.

The CSRF token is a double submit: a random cookie that scripts cannot read and other sites cannot send, and
the same value in the form. It needs no state on the server, so it holds over restarts and over several nodes.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.datastructures import FormData, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orquestrax.settings import Settings

CSRF_COOKIE: Final = "orquestrax_csrf"
CSRF_FIELD: Final = "csrf"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def install(app: FastAPI, settings: Settings) -> None:
    """Put the guard before every route of the app."""
    app.add_middleware(Guard, settings=settings)


def csrf_token(request: Request) -> str:
    """The token that forms of this page must send as `csrf`."""
    token: str = request.state.csrf
    return token


async def checked_form(request: Request) -> FormData:
    """The fields of a posted form; 403 if its token is not this browser's."""
    form = await request.form()
    sent, own = form.get(CSRF_FIELD), request.cookies.get(CSRF_COOKIE, "")
    if not own or not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), own.encode()):
        raise HTTPException(403, "this form is out of date: go back, reload the page, and send it again")
    return form


CheckedForm = Annotated[FormData, Depends(checked_form)]


class Guard:
    """ASGI middleware: see the module's head."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        own = request.cookies.get(CSRF_COOKIE)
        request.state.csrf = token = own or secrets.token_urlsafe(32)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if own is None and request.method == "GET":
                    headers.append("set-cookie", f"{CSRF_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        if request.method not in SAFE and not _same_origin(request):
            await PlainTextResponse("this request comes from another site", 403)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)


def _same_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
