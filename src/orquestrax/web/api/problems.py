"""Errors as problem details (RFC 9457): the CLI's sentences and the stable codes of `base.errors`."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from orquestrax.base.errors import (
    Conflict,
    DatabaseError,
    InstanceEnded,
    InvalidInput,
    InvalidState,
    NotFound,
    OrquestraxError,
    PayloadTooLarge,
)
from orquestrax.web.api.models import Problem

log = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
_OURS: Final[tuple[tuple[type[OrquestraxError], int, str], ...]] = (
    (NotFound, 404, "Not found"),
    (Conflict, 409, "Conflict"),
    (InstanceEnded, 409, "Ended"),
    (InvalidState, 409, "Not as it stands"),
    (PayloadTooLarge, 413, "Too large"),
    (InvalidInput, 422, "Invalid input"),
    (DatabaseError, 503, "Database unavailable"),
)
_TITLES: Final = {
    200: "It was there already",
    400: "Malformed",
    401: "Not logged in",
    403: "Refused",
    404: "Not found",
    405: "Not possible",
    409: "Conflict",
    413: "Too large",
    415: "Not JSON",
    421: "Another host",
    422: "Invalid input",
    429: "Too many attempts",
    503: "Database unavailable",
}
_SENTENCES: Final = {
    404: "there is nothing at this address: /api/v1/openapi.json lists what there is",
    405: "this address does not take that method: /api/v1/openapi.json lists what it takes",
}
_CODES: Final = {400: "OX1200", 404: "OX1300", 413: "OX1202", 422: "OX1200"}
DOOR: Final = (403, 413, 421, 422)  # of every route
ALWAYS: Final = (*DOOR, 401, 429, 503)  # of every route but those for health
BODIES: Final = (400, 415)  # of every route with a body
THERE: Final = 200


def documented(
    *statuses: int, model: Any = None, always: Sequence[int] = ALWAYS
) -> dict[int | str, dict[str, Any]]:
    """The answers of a route beside its usual one, for the OpenAPI document."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in sorted({*statuses, *always}):
        answers[status] = {"description": _TITLES[status]}
        if status == THERE:
            answers[status]["model"] = model
        else:
            schema = {"$ref": "#/components/schemas/Problem"}  # put there by `document`
            answers[status]["content"] = {MEDIA_TYPE: {"schema": schema}}
    return answers


def problem(status: int, title: str, detail: str, *, code: str = "OX1000") -> JSONResponse:
    """One problem as an answer."""
    body = Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=secrets.token_hex(6),
    )
    return JSONResponse(body.model_dump(), status, media_type=MEDIA_TYPE)


def of_error(error: Exception) -> JSONResponse:
    """The problem that an exception is; what is unknown is logged under the request id and told to nobody."""
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _of_http(error)
    for kind, status, title in _OURS:
        if isinstance(error, kind):
            return problem(status, title, str(error), code=error.code)
    answer = problem(500, "That failed here", "the server's log tells more under this request id")
    log.error("request failed: %s", answer.body, exc_info=error)
    return answer


def _of_http(error: HTTPException) -> JSONResponse:
    status, detail = error.status_code, str(error.detail)
    if detail == HTTPStatus(status).phrase:  # the framework's own, which says nothing
        detail = _SENTENCES.get(status, detail)
    answer = problem(status, _TITLES.get(status, "Refused"), detail, code=_CODES.get(status, "OX1000"))
    answer.headers.update(error.headers or {})
    return answer


def _invalid(error: RequestValidationError) -> JSONResponse:
    """The first fault, as one sentence with its place."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    return problem(422, "Invalid input", f"{place}: {fault['msg'].lower()}", code="OX1200")
