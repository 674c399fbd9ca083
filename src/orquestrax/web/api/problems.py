"""Errors as problem details (RFC 9457): the CLI's sentences and the stable codes of `base.errors`."""

from __future__ import annotations

import logging
import secrets
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from orquestrax.base.errors import (
    Conflict,
    DatabaseError,
    InstanceEnded,
    InvalidInput,
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
    (PayloadTooLarge, 413, "Too large"),
    (InvalidInput, 422, "Invalid input"),
    (DatabaseError, 503, "Database unavailable"),
)
_TITLES: Final = {
    200: "It was there already",
    400: "Malformed",
    404: "Not found",
    409: "Conflict",
    413: "Too large",
    422: "Invalid input",
}


def documented(*statuses: int, model: Any = None) -> dict[int | str, dict[str, Any]]:
    """The answers of a route beside its usual one, for the OpenAPI document."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in (*statuses, 403, 503):
        if status == 200:  # noqa: PLR2004
            answers[status] = {"model": model, "description": _TITLES[status]}
        else:
            answers[status] = {
                "description": _TITLES.get(status, "Refused" if status == 403 else "Database unavailable"),  # noqa: PLR2004
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
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
        return problem(error.status_code, _TITLES.get(error.status_code, "Refused"), str(error.detail))
    for kind, status, title in _OURS:
        if isinstance(error, kind):
            return problem(status, title, str(error), code=error.code)
    answer = problem(500, "That failed here", "the server's log tells more under this request id")
    log.error("request failed: %s", answer.body, exc_info=error)
    return answer


def _invalid(error: RequestValidationError) -> JSONResponse:
    """The first fault, as one sentence with its place."""
    fault = error.errors()[0]
    if fault["type"] == "json_invalid":
        reason = fault.get("ctx", {}).get("error", "")
        return problem(
            400, "Malformed", f"the body is not JSON: {reason} at character {fault['loc'][-1]}", code="OX1200"
        )
    place = ".".join(str(part) for part in fault["loc"])
    return problem(422, "Invalid input", f"{place}: {fault['msg'].lower()}", code="OX1200")


def is_api(request: Request) -> bool:
    """Whether a program asks: it gets problem details instead of a page."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return path.startswith(("/api/", "/health/"))
