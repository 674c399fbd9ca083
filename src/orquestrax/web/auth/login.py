"""The login form: the token once, then a session."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from orquestrax.web import security
from orquestrax.web.auth.access import SESSION_COOKIE, Access, Verdict
from orquestrax.web.places import own_target, prefix_of
from orquestrax.web.render import page

router = APIRouter(include_in_schema=False)
WRONG: Final = "That is not the token."
WAIT: Final = "Too many wrong tokens from this address: wait a minute and try again."


@router.get("/login")
async def show(request: Request) -> Response:
    """The form. Whoever is known already goes on."""
    target = own_target(request, request.query_params.get("next", ""))
    if _access(request).verdict(request) is Verdict.KNOWN:
        return RedirectResponse(target, 303)
    return _form(request, target)


@router.post("/login")
async def send(request: Request, form: security.CheckedForm) -> Response:
    """A new session for the right token, whatever session there was before; else the form again."""
    access, target = _access(request), own_target(request, str(form.get("next", "")))
    match access.try_token(request, str(form.get("token", "")).strip()):
        case Verdict.KNOWN:
            return _opened(request, access, target)
        case Verdict.THROTTLED:
            answer = _form(request, target, WAIT, status=429)
            answer.headers["retry-after"] = str(access.wait(request))
            return answer
        case Verdict.UNKNOWN:
            return _form(request, target, WRONG, status=401)


@router.post("/logout")
async def leave(request: Request, _form: security.CheckedForm) -> Response:
    """End the session."""
    access = _access(request)
    access.sessions.close(request.cookies.get(SESSION_COOKIE, ""))
    answer = RedirectResponse(f"{prefix_of(request)}/login", 303)
    answer.delete_cookie(SESSION_COOKIE, path=_cookie_path(request), httponly=True, samesite="strict")
    return answer


def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    if not access.required:
        raise HTTPException(
            404, "there is nothing to log in to: no token is set, and only this machine comes in"
        )
    return access


def _form(request: Request, target: str, problem: str = "", *, status: int = 200) -> HTMLResponse:
    return page(request, "login.html", status=status, next=target, problem=problem)


def _opened(request: Request, access: Access, target: str) -> Response:
    access.sessions.close(request.cookies.get(SESSION_COOKIE, ""))
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        SESSION_COOKIE,
        access.sessions.open(),
        path=_cookie_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    security.renew_csrf(request, answer)
    return answer


def _cookie_path(request: Request) -> str:
    return prefix_of(request) or "/"
