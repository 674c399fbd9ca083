"""What is refused before anything reads a request: pure checks of its head, and a bound on its body.

host      Without a token only names of this machine are answered. A page of another site can make its own name
          point here (DNS rebinding), but the browser still sends that name. With a token any name is fine: such
          a page has no session, and reverse proxies have names of their own.
origin    Browsers say where a request comes from. Only a person's navigation may come from another site; forms,
          scripts and streams must come from a page of ours.
text      PostgreSQL stores no NUL, and half of a surrogate pair is no character.
type      The API reads JSON alone, which a form of another site cannot send.
length    A body over the limit is refused by its declared length, or while it arrives.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from orquestrax.settings import Settings
from orquestrax.web.listening import is_loopback
from orquestrax.web.places import is_api

MAX_BODY: Final = 1_000_000  # bytes; half of what the engine stores, which form fields may blow up
MAX_OPEN_BODY: Final = 16_384  # bytes; where nobody has logged in yet
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_JSON: Final = re.compile(r"application/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE)
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")
_FRAMES: Final = frozenset({"embed", "frame", "iframe", "object"})


class Refusal(NamedTuple):
    """Why a request is not served."""

    status: int
    title: str
    sentence: str
    code: str = "OX1000"


def refusal(request: Request, settings: Settings) -> Refusal | None:
    """The first reason not to serve the request; None if there is none."""
    return (
        _of_host(request, settings)
        or _of_origin(request)
        or _of_text(request)
        or _of_type(request)
        or _of_length(request)
    )


def limited(receive: Receive, limit: int = MAX_BODY) -> Receive:
    """Receive at most `limit` bytes of body; HTTPException 413 behind them."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return bounded


def unfit_text(text: str) -> str | None:
    """What cannot be stored in a text; None if all can."""
    found = _UNFIT.search(text)
    if found is None:
        return None
    return "a NUL character" if found[0] == "\0" else "half of a surrogate pair"


def _of_host(request: Request, settings: Settings) -> Refusal | None:
    host = request.headers.get("host", "").lower()
    name = _name_of(host)
    if settings.token is not None or is_loopback(name) or (name and name == settings.host.lower()):
        return None
    return Refusal(
        421,
        "Another host",
        f"this server does not answer as {host!r}: use localhost, or set host to that name and a token",
    )


def _name_of(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _of_origin(request: Request) -> Refusal | None:
    headers = request.headers
    origin = headers.get("origin")
    foreign = Refusal(403, "Refused", "this request comes from a page of another site")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return foreign
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return None
    visit = request.method in SAFE and headers.get("sec-fetch-mode") == "navigate"
    return None if visit and headers.get("sec-fetch-dest") not in _FRAMES else foreign


def _of_text(request: Request) -> Refusal | None:
    places = [("the path", request.scope["path"])]
    for name, value in request.query_params.multi_items():
        places += [("the name of a query parameter", name), (f"the query parameter {name!r}", value)]
    for place, text in places:
        unfit = unfit_text(text)
        if unfit is not None:
            return Refusal(422, "Invalid input", f"{place} holds {unfit}; remove it", "OX1200")
    return None


def _of_type(request: Request) -> Refusal | None:
    if request.method in SAFE or not is_api(request):
        return None
    sent = request.headers.get("content-type")
    empty = "transfer-encoding" not in request.headers and request.headers.get("content-length", "0") == "0"
    if (sent is None and empty) or _JSON.match(sent or ""):
        return None
    named = f"not {sent}" if sent else "and says so"
    return Refusal(415, "Not JSON", f"the API takes JSON, {named}: send content-type: application/json")


def _of_length(request: Request) -> Refusal | None:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) <= MAX_BODY:
        return None
    return Refusal(413, "Too large", _too_large(MAX_BODY), "OX1202")


def _too_large(limit: int) -> str:
    return f"the body is over the limit of {limit:,} bytes; store the data elsewhere and pass where it is"
