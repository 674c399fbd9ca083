"""What workflow code asks for. Commands are numbered from 1 in the order of asking, per instance."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import msgspec

from orquestrax.model.options import StepOptions

Decoded = tuple[tuple[Any, ...], dict[str, Any]]
"""The positional and the named arguments of a call."""


class StepSpec(Protocol):
    """What a command knows of its step: the declaration itself, seen from below."""

    @property
    def name(self) -> str:
        """How the step is known in histories."""

    @property
    def options(self) -> StepOptions:
        """How it is run."""

    def decode_result(self, raw: bytes | str) -> Any:
        """The value that the workflow sees."""

    def rebuild_error(self, raw: bytes | str) -> BaseException:
        """The exception that the workflow sees: one of `raises=` as itself, else `StepFailed`."""


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing asked for; `file` and `line` are where, as far as that is known, `asked_at` the loop's time then."""

    kind: ClassVar[str] = ""
    number: int
    name: str = ""
    file: str | None = None
    line: int | None = None
    asked_at: int = 0


class RunStep(Command, frozen=True, kw_only=True, gc=False):
    """Run a step with these encoded arguments (a JSON array).

    `decoded` are the same as the body gets them, positional and named: for its first attempt alone, which may change
    what it gets. None if they are large, as they are kept until the step has ended.
    """

    kind: ClassVar[str] = "step"
    step: Any  # a StepSpec: the declaration that was called, options included
    arguments: bytes
    decoded: Decoded | None = None


class StartTimer(Command, frozen=True, kw_only=True, gc=False):
    """Fire when the database's clock has reached `due`."""

    kind: ClassVar[str] = "timer"
    due: int


class Receive(Command, frozen=True, kw_only=True, gc=False):
    """Wait for a signal of this name."""

    kind: ClassVar[str] = "receive"


class Finish(Command, frozen=True, kw_only=True, gc=False):
    """The workflow function returned, raised or was cancelled.

    `status` is completed, failed or cancelled; `payload` the encoded result or error. Its number is 0 if it was not
    the code that came to this end.
    """

    kind: ClassVar[str] = "finish"
    status: str
    payload: bytes
