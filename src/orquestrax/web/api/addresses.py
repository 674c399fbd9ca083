"""The address of an instance: any id can be asked for, whatever it holds.

    /instances/a%2Fevents           the instance `a/events`
    /instances/a/events             the events of the instance `a`
    /instances/-?id=a%2Fevents      again the instance `a/events`
    /instances/-/events?id=..       the events of the instance `..`

A slash that belongs to an id is escaped, as RFC 3986 has it; one that is not is a separator where something
that can be asked of an instance follows it, and else is taken as part of the id. Some proxies and browsers undo
such escapes and resolve dots, so the id can also stand in the query, with `-` in its place.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import Depends, Query
from starlette.routing import Match
from starlette.types import Scope

from orquestrax.web.api.bodies import JsonRoute
from orquestrax.web.api.models import ID_TEXT, PathId

ELSEWHERE: Final = "-"
_SLASH: Final = "\0"  # stands for a slash within a segment; the door lets no address with a NUL in


class InstanceRoute(JsonRoute):
    """A route that tells slashes of an id from those of the address."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As the framework's, by the path as it was sent."""
        match, found = super().matches({**scope, "path": _as_sent(scope)})
        parameters: dict[str, Any] = found.get("path_params", {})
        if "id" in parameters:
            found["path_params"] = {**parameters, "id": parameters["id"].replace(_SLASH, "/")}
        return match, found


def _as_sent(scope: Scope) -> str:
    """The path with escaped slashes marked; servers that do not tell how it was sent escape none."""
    path, raw = scope["path"], scope.get("raw_path")
    if raw is None:
        return str(path)
    segments = raw.partition(b"?")[0].decode("latin-1").split("/")
    sent = "/".join(unquote(segment).replace("/", _SLASH) for segment in segments)
    return sent if sent.replace(_SLASH, "/") == path else str(path)


def _addressed(
    id: PathId,
    named: Annotated[
        str | None,
        Query(
            alias="id",
            description="the id, with `-` in its place in the path: for ids that proxies and browsers change there",
            json_schema_extra=ID_TEXT,
        ),
    ] = None,
) -> str:
    return named if id == ELSEWHERE and named is not None else id


InstanceId = Annotated[str, Depends(_addressed)]
