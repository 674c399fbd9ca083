"""The shapes of the API: requests are checked by them, answers are documented by them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from orquestrax.client.views import HistoryEvent, RunStatus

Id = Annotated[
    str, Field(min_length=1, max_length=255, description="1 to 255 characters", examples=["order-42"])
]
MessageId = Annotated[
    str | None,
    Field(
        min_length=1, max_length=255, description="makes sending it again harmless", examples=["approval-1"]
    ),
]


class Strict(BaseModel):
    """Unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid")


class StartRequest(Strict):
    """A start. `input` with one parameter is its value, with several an array in order or an object by name."""

    definition: str = Field(min_length=1, max_length=200, examples=["fulfil"])
    input: Any = Field(default=None, examples=[{"id": "42", "amount": 9.5}])
    id: Id | None = None
    priority: int = Field(default=2, ge=0, le=4, description="0 first to 4 last")


class SignalRequest(Strict):
    """A signal with any JSON value."""

    name: str = Field(min_length=1, max_length=255, examples=["approval"])
    value: Any = Field(default=None, examples=[True])
    message_id: MessageId = None


class OrderRequest(Strict):
    """A cancel or a terminate."""

    reason: str = Field(default="", max_length=10_000, examples=["the customer changed their mind"])
    message_id: MessageId = None


class Instance(BaseModel):
    """An instance as it stands now; the same fields as `orquestrax show --json`."""

    id: str
    definition: str
    version: str
    status: str = Field(examples=["running"])
    input: Any
    result: Any
    error: dict[str, Any] | None
    waits: list[dict[str, Any]]
    blocked: dict[str, Any] | None
    node: str | None
    priority: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    wake_at: datetime | None

    @classmethod
    def of(cls, status: RunStatus) -> Instance:
        """From what the client knows."""
        return cls(**{name: getattr(status, name) for name in cls.model_fields})


class InstancePage(BaseModel):
    """A page of instances, newest first; `next` is the cursor of the page behind it, if there is one."""

    items: list[Instance]
    next: str | None


class Event(BaseModel):
    """One event of a history; seq 0 is the start."""

    seq: int
    type: str = Field(examples=["step_completed"])
    at: datetime
    data: dict[str, Any]

    @classmethod
    def of(cls, event: HistoryEvent) -> Event:
        """From what the client knows."""
        return cls(seq=event.seq, type=event.type, at=event.at, data=event.data)


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


class Problem(BaseModel):
    """RFC 9457. `code` is stable and safe to match on; `detail` says what is wrong and what to do."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no instance with the id 'order-7'"])
    code: str = Field(examples=["OX1300"])
    request_id: str
