"""Where a request goes: paths within the app, wherever it is mounted, and who looks at the answer."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

_PROGRAMS: Final = ("/api/", "/health/")
_MACHINES: Final = (*_PROGRAMS, "/static/", "/live")


def prefix_of(request: Request) -> str:
    """The prefix under which this app is mounted, "" at the root."""
    prefix: str = request.scope.get("root_path", "").rstrip("/")
    return prefix


def own_path(request: Request) -> str:
    """The path within this app."""
    path: str = request.scope["path"]
    return path.removeprefix(prefix_of(request))


def is_api(request: Request) -> bool:
    """Whether a program asks: it gets problem details instead of a page."""
    return own_path(request).startswith(_PROGRAMS)


def is_page(request: Request) -> bool:
    """Whether a person looks at the answer."""
    return not own_path(request).startswith(_MACHINES)


def own_target(request: Request, target: str) -> str:
    """`target` if it is an address within this app, else its first page: nobody is sent to another site."""
    home = f"{prefix_of(request)}/"
    plain = target.isprintable() and "\\" not in target
    return target if plain and target.startswith(home) and not target.startswith("//") else home


def takes_gzip(request: Request) -> bool:
    """Whether an answer may be compressed."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "").rstrip("0.") != "q="
    return False
