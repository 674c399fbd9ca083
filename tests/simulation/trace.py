"""What the database did, one transaction after the other: the same for the same seed, also on PostgreSQL."""

from __future__ import annotations

from typing import Any

from orquestrax.model.rows import InstanceRow, Verdict


class Trace:
    """One line for each transaction: when, asked by whom, what, and what came of it."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, str, Any]] = []

    def add(self, now: int, process: str, label: str, answer: Any) -> None:
        self.lines.append((now, process, label, answer))

    def text(self) -> list[str]:
        """For people, and to be compared."""
        return [f"{now} {process} {label} {_shown(answer)}" for now, process, label, answer in self.lines]


def _shown(answer: Any) -> str:
    if isinstance(answer, Exception):
        return type(answer).__name__
    if isinstance(answer, list):
        return "[" + ", ".join(_shown(one) for one in answer) + "]"
    if isinstance(answer, Verdict):
        return answer.value
    if isinstance(answer, InstanceRow):
        return f"{answer.id}:{answer.status}"
    if hasattr(answer, "items"):
        return " ".join(f"{name}={value!r}" for name, value in sorted(answer.items()))
    return repr(answer)
