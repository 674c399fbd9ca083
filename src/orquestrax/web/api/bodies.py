"""Request bodies: read as the codec reads JSON, so that what is malformed has the CLI's sentence.

The framework's own reader takes NaN and halves of surrogate pairs, and tells a character but no line.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from orquestrax.base.codec import Codec
from orquestrax.base.errors import PayloadError

_BODY: Final[Codec[Any]] = Codec(Any, where="the body")
MALFORMED, UNFIT = 400, 422


class JsonRequest(Request):
    """A request with a strictly read body."""

    async def json(self) -> Any:
        """The body. HTTPException 400 if it is not JSON, 422 if it holds what is no character."""
        try:
            return _BODY.decode(await self.body())
        except PayloadError as error:
            sentence = str(error)
            raise HTTPException(UNFIT if "surrogate" in sentence else MALFORMED, sentence) from None


class JsonRoute(APIRoute):
    """A route whose body is read by `JsonRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, with our request."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json
