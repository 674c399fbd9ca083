"""JSON lines between a process and its rechecking child."""

from __future__ import annotations

import msgspec

from orquestrax.define.rehearsal import Asked, History


class Task(msgspec.Struct, tag=True):
    """To the child: a history, and the workflow whose code it is to be held against."""

    file: str
    qualname: str
    definition: str
    digest: str
    history: History


class Fits(msgspec.Struct, tag=True):
    """From the child: the code does what it did. `asked` is what it asked for."""

    asked: list[Asked]


class Differs(msgspec.Struct, tag=True):
    """From the child: it does not; both sides, and the line."""

    message: str
    recorded: str
    asked: str
    file: str | None
    line: int | None


class Unknown(msgspec.Struct, tag=True):
    """From the child: it cannot tell, and why."""

    reason: str


Answer = Fits | Differs | Unknown

decode_task = msgspec.json.Decoder(Task).decode
_decode_answer = msgspec.json.Decoder(Answer).decode


def decode_answer(line: bytes) -> Answer:
    """What a line of the child says."""
    answer: Answer = _decode_answer(line)
    return answer


def encode(message: Task | Answer) -> bytes:
    """A message as a line."""
    return msgspec.json.encode(message) + b"\n"
