"""What clients asked and heard, one line for each try: the history that the verdict goes by."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import msgspec

from tests.checker import Call

Outcome = Literal["ok", "failed", "unknown"]


class Operation(msgspec.Struct, kw_only=True, frozen=True):
    """One try. `began` and `ended` are seconds of the host's monotonic clock.

    answer  what a failed one was refused for: ended, pointless, or the sentence of the error
    """

    kind: str
    instance: str
    message: str
    value: str
    began: float
    ended: float
    outcome: Outcome
    answer: str = ""


class Operations:
    """All tries so far, also in a file; `calls` has one entry for what was asked, however often."""

    def __init__(self, file: Path) -> None:
        self.done: list[Operation] = []
        self.calls: dict[str, list[Call]] = {}
        self._file = file.open("ab")

    def call(self, kind: str, instance: str, value: str = "") -> Call:
        """Something that is going to be asked, in this order."""
        calls = self.calls.setdefault(instance, [])
        calls.append(Call(instance=instance, kind=kind, value=value, message=f"{instance}:{len(calls)}"))
        return calls[-1]

    def note(self, call: Call, began: float, outcome: Outcome, answer: str = "") -> None:
        """How a try went."""
        operation = Operation(
            kind=call.kind, instance=call.instance, message=call.message, value=call.value, began=began,
            ended=time.monotonic(), outcome=outcome, answer=answer,
        )  # fmt: skip
        self.done.append(operation)
        self._file.write(msgspec.json.encode(operation) + b"\n")
        call.tries += 1
        if not call.over:
            call.outcome = outcome if outcome != "failed" else answer

    def close(self) -> None:
        """Nothing more is noted."""
        self._file.close()
