"""The guard of the web room: what passes before every route, and the headers on every answer.

    door     host, origin, text, content type, length of the body
    auth     the token or a session, for every route but the exempt ones
    CSRF     a token in every form

The CSRF token is a double submit: a random cookie that scripts cannot read and other sites cannot send, and
the same value in the form. It needs no state on the server, so it holds over restarts and over several nodes.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.datastructures import FormData, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orquestrax.base.errors import InvalidInput
from orquestrax.settings import Settings
from orquestrax.web import door
from orquestrax.web.api.problems import problem
from orquestrax.web.auth.access import Access, Verdict
from orquestrax.web.places import is_api, is_page, prefix_of

CSRF_COOKIE: Final = "orquestrax_csrf"
CSRF_FIELD: Final = "csrf"
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
UNKNOWN: Final = door.Refusal(
    401, "Not logged in", "this needs the token: send the header `Authorization: Bearer TOKEN`"
)
THROTTLED: Final = door.Refusal(
    429, "Too many attempts", "too many wrong tokens came from this address: wait a minute and try again"
)


def install(app: FastAPI, settings: Settings, access: Access, *, exempt: Sequence[BaseRoute]) -> None:
    """Put the guard around the app; the routes in `exempt` need no login."""
    app.state.access = access
    app.add_middleware(Guard, settings=settings, access=access, exempt=exempt)


def csrf_token(request: Request) -> str:
    """The token that forms of this page must send as `csrf`."""
    token: str = request.state.csrf
    return token


def renew_csrf(request: Request, answer: Response) -> None:
    """Give the browser a new token: what was known before a login is worth nothing behind it."""
    answer.headers.append("set-cookie", _csrf_cookie(request, secrets.token_urlsafe(32)))


async def checked_form(request: Request) -> FormData:
    """The fields of a posted form; 403 if its token is not this browser's, 422 for text that cannot be stored."""
    form = await request.form()
    sent, own = form.get(CSRF_FIELD), request.cookies.get(CSRF_COOKIE, "")
    if not own or not isinstance(sent, str) or not hmac.compare_digest(_bytes(sent), _bytes(own)):
        raise HTTPException(403, "this form is out of date: go back, reload the page, and send it again")
    for name, value in form.multi_items():
        unfit = door.unfit_text(f"{name}{value}")
        if unfit is not None:
            raise InvalidInput(f"the field {name!r} holds {unfit}; remove it")
    return form


CheckedForm = Annotated[FormData, Depends(checked_form)]


class Guard:
    """ASGI middleware: see the module's head."""

    def __init__(self, app: ASGIApp, settings: Settings, access: Access, exempt: Sequence[BaseRoute]) -> None:
        self._app, self._settings, self._access, self._exempt = app, settings, access, exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; web sockets are not served, so nothing can come in by them."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request.state.csrf = request.cookies.get(CSRF_COOKIE) or secrets.token_urlsafe(32)
        exempt = any(route.matches(scope)[0] is Match.FULL for route in self._exempt)
        serve = self._refused(request, exempt) or self._app
        limit = door.MAX_OPEN_BODY if exempt else door.MAX_BODY
        await serve(scope, door.limited(receive, limit), _with_headers(request, send))

    def _refused(self, request: Request, exempt: bool) -> Response | None:
        refusal = door.refusal(request, self._settings)
        if refusal is not None:
            return _answer(request, refusal)
        if exempt:
            return None
        match self._access.verdict(request):
            case Verdict.KNOWN:
                return None
            case Verdict.THROTTLED:
                wait = str(self._access.wait(request))
                return _answer(request, THROTTLED, {"retry-after": wait})
            case Verdict.UNKNOWN:
                return _to_login(request) if is_page(request) else _unknown(request)


def _answer(request: Request, refusal: door.Refusal, headers: dict[str, str] | None = None) -> Response:
    if not is_api(request):
        return PlainTextResponse(refusal.sentence, refusal.status, headers)
    answer = problem(refusal.status, refusal.title, refusal.sentence, code=refusal.code)
    answer.headers.update(headers or {})
    return answer


def _unknown(request: Request) -> Response:
    return _answer(request, UNKNOWN, {"www-authenticate": "Bearer"})


def _to_login(request: Request) -> Response:
    login = f"{prefix_of(request)}/login"
    if request.method != "GET":
        return RedirectResponse(login, 303)
    query = request.url.query
    target = quote(request.scope["path"]) + (f"?{query}" if query else "")
    return RedirectResponse(f"{login}?{urlencode({'next': target})}", 303)


def _with_headers(request: Request, send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            headers.setdefault("cache-control", "no-store")
            if CSRF_COOKIE not in request.cookies and request.method == "GET":
                headers.append("set-cookie", _csrf_cookie(request, request.state.csrf))
        await send(message)

    return guarded


def _csrf_cookie(request: Request, token: str) -> str:
    secure = "; Secure" if request.url.scheme == "https" else ""
    return f"{CSRF_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
