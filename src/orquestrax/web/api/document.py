"""The OpenAPI document: the framework's, with what it cannot know: problems and how one logs in."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from orquestrax.web.api.models import Problem

TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "The value of ORQUESTRAX_TOKEN where the server runs.",
}


def install(app: FastAPI, *, secured: bool) -> None:
    """Complete the document of the app; `secured` if it has a token."""
    drafted = app.openapi

    def completed() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(drafted(), secured=secured)
        return app.openapi_schema

    app.openapi = completed  # type: ignore[method-assign]  # the framework's documented way


def _complete(document: dict[str, Any], *, secured: bool) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    if secured:
        components["securitySchemes"] = {"token": TOKEN}
        document["security"] = [{"token": []}]
        for path, operations in document["paths"].items():
            if path.startswith("/health/"):
                for operation in operations.values():
                    operation["security"] = []
    return document
