"""A start that is being written: the form's state between two requests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from orquestrax.core.store.clientverbs import DefinitionView
from orquestrax.web.views.forms.fields import find
from orquestrax.web.views.forms.shape import Shape
from orquestrax.web.views.forms.typed import (
    LEFT_OUT,
    Typed,
    defaults,
    value_of,
    with_item,
    without_item,
    written,
)

PRIORITIES: Final = ("0", "1", "2", "3", "4")
_BLANKS: Final[Mapping[str, Any]] = {"text": "", "integer": 0, "number": 0, "boolean": False, "list": []}


@dataclass(slots=True)
class Draft:
    """`mode` is form or json; `shape` None means no input; `problems` are by field, "" for the whole."""

    definition: DefinitionView
    shape: Shape | None
    typed: Typed
    mode: str = "form"
    problems: dict[str, str] = field(default_factory=dict)
    snippets: list[tuple[str, str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The id that was typed; empty for a generated one."""
        return self.typed.get("id", "").strip()

    @property
    def priority(self) -> int:
        """The chosen priority."""
        chosen = self.typed.get("priority", "2")
        return int(chosen) if chosen in PRIORITIES else 2

    def raw(self) -> str | None:
        """The input as JSON, None if it is left out; what does not fit a field is put among the problems."""
        if self.shape is None:
            return None
        if self.mode == "json":
            return self.typed.get("json", "").strip() or None
        value, self.problems = value_of(self.shape, self.typed)
        return None if value is LEFT_OUT else msgspec.json.encode(value).decode()

    def fill(self) -> None:
        """An untouched form: the defaults, and as JSON what it might look like."""
        if self.shape is not None:
            self.typed |= defaults(self.shape)
            self.typed["json"] = self._sample(self.shape)

    def add(self, path: str) -> None:
        """One more item in the list at this path."""
        listed = find(self.shape, path) if self.shape is not None else None
        if listed is not None and listed.kind == "list":
            self.typed = with_item(self.typed, path, listed.item)

    def remove(self, path: str) -> None:
        """Take out the item at this path."""
        head, _, place = path.rpartition(".")
        if place.isascii() and place.isdigit():
            self.typed = without_item(self.typed, head, int(place))

    def to_json(self) -> None:
        """Go on as JSON, with what was typed as far as it fits."""
        if self.shape is not None:
            raw = self.raw()
            self.mode, self.problems = "json", {}
            self.typed["json"] = msgspec.json.format(raw, indent=2) if raw else self._sample(self.shape)

    def to_fields(self) -> None:
        """Go on with fields, if the JSON can be read."""
        if self.shape is None:
            return
        try:
            value = msgspec.json.decode(self.typed.get("json", "").encode() or b"null")
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            self.problems["json"] = f"it must be JSON: {error}"
            return
        self.mode = "form"
        self.typed |= written(self.shape, value) if value is not None else defaults(self.shape)

    def _sample(self, shape: Shape) -> str:
        return msgspec.json.format(msgspec.json.encode(_skeleton(shape)), indent=2).decode()


def _skeleton(shape: Shape) -> Any:
    if shape.has_default:
        return shape.default
    if shape.kind == "group":
        return {name: _skeleton(part) for name, part in shape.parts.items()}
    return _BLANKS.get(shape.kind)
