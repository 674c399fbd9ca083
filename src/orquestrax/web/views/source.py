"""The source of a workflow with the lines where an instance now waits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orquestrax.core.store.clientverbs import DefinitionView


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `waits` if the instance waits here."""

    number: int
    text: str
    waits: bool


def marked(definition: DefinitionView, places: Iterable[tuple[str | None, int | None]]) -> list[Line]:
    """The lines of a definition; `places` are files and lines of what is under way or waited for."""
    lines = {line for file, line in places if file == definition.file}
    return [
        Line(number, text, number in lines)
        for number, text in enumerate(definition.source.splitlines(), start=definition.line)
    ]
