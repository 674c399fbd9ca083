"""The shapes of the API: requests are checked by them, answers are documented by them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from orquestrax.base.ids import MAX_ID, check_id, check_text
from orquestrax.client.views import RunStatus

# Checked by ours, so that the sentences are the CLI's; the schema says the same.
ID_TEXT: Final[JsonDict] = {"minLength": 1, "maxLength": MAX_ID, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}


def _checked(what: str) -> AfterValidator:
    return AfterValidator(lambda text: check_text(text, what))


Name = Annotated[
    str,
    _checked("a definition's name"),
    Field(description="of a registered definition", examples=["fulfil"], json_schema_extra=ID_TEXT),
]
Signal = Annotated[
    str,
    _checked("a signal's name"),
    Field(description="what the workflow receives it by", examples=["approval"], json_schema_extra=ID_TEXT),
]
Id = Annotated[
    str,
    AfterValidator(check_id),
    Field(description="1 to 255 characters", examples=["order-42"], json_schema_extra=ID_TEXT),
]
MessageId = Annotated[
    str,
    _checked("a message's id"),
    Field(description="makes sending it again harmless", examples=["approval-1"], json_schema_extra=ID_TEXT),
]

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
PathId = Annotated[
    str,
    Path(
        description="1 to 255 characters; a slash within it is sent as %2F",
        examples=["order-42"],
        json_schema_extra=ID_TEXT,
    ),
]


class Strict(BaseModel):
    """Unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid")


class StartRequest(Strict):
    """A start. `input` with one parameter is its value, with several an array in order or an object by name."""

    definition: Name
    input: Any = Field(default=None, examples=[{"id": "42", "amount": 9.5}])
    id: Id | None = None
    priority: int = Field(default=2, ge=0, le=4, description="0 first to 4 last")


class SignalRequest(Strict):
    """A signal with any JSON value."""

    name: Signal
    value: Any = Field(default=None, examples=[True])
    message_id: MessageId | None = None


class OrderRequest(Strict):
    """A cancel, terminate, pause or resume."""

    reason: str = Field(default="", max_length=10_000, examples=["the customer changed their mind"])
    message_id: MessageId | None = None


class Accepted(BaseModel):
    """The message is stored and will be in the history, exactly once."""

    accepted: bool = Field(examples=[True])


class InstancePage(BaseModel):
    """A page of instances, newest first; `next` is the cursor of the page behind it, if there is one."""

    items: list[RunStatus]
    next: str | None


class Event(BaseModel):
    """One event of a history; seq 0 is the start."""

    seq: int
    type: str = Field(examples=["step_completed"])
    at: datetime
    data: dict[str, Any]


class Definition(BaseModel):
    """A registered definition; `served` if a live node has its code."""

    name: str
    version: str
    doc: str
    file: str
    line: int
    served: bool
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


class Health(BaseModel):
    """How it is, and why if it is not well."""

    status: str = Field(examples=["ready"])
    reason: str = ""


class Problem(BaseModel):
    """RFC 9457. `code` is stable and safe to match on; `detail` says what is wrong and what to do."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no instance with the id 'order-7'"])
    code: str = Field(examples=["OX1300"])
    request_id: str
