"""Input that people write, made ready to be stored: by the code if it is here, else by its schema."""

from __future__ import annotations

from typing import NamedTuple

from orquestrax.base.errors import NotFound
from orquestrax.client.inputs import encode_by_schema
from orquestrax.web.context import WebContext


class Encoded(NamedTuple):
    """The version that is started, the stored arguments, and their digest."""

    version: str
    arguments: bytes
    digest: bytes


async def encode_input(context: WebContext, name: str, raw: bytes | None) -> Encoded:
    """Check and encode the input of a definition; None if it was left out.

    Raises NotFound for an unknown definition, PayloadError with what does not fit and where, PayloadTooLarge.
    """
    workflow = context.workflows.get(name)
    if workflow is not None:
        arguments = workflow.signature.decode_input(raw)
        return Encoded(workflow.version, arguments, workflow.signature.digest(arguments))
    known = await context.store.definitions(name)
    if not known:
        raise NotFound(f"no definition is named {name!r}: `orquestrax definitions` shows what is registered")
    return Encoded(known[0].version, *encode_by_schema(known[0], raw))
