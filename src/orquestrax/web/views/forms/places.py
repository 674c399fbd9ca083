"""Which field an error of the engine is about: its sentence names the argument and the path to it."""

from __future__ import annotations

import re
from typing import Final

from orquestrax.web.views.forms.fields import find
from orquestrax.web.views.forms.shape import ROOT, Shape

_ARGUMENT: Final = re.compile(r"argument '(?P<name>[^']+)'")
_PATH: Final = re.compile(r" at \$(?P<path>[^\s;]*)(?=;|$)")
_STEP: Final = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<place>\d+)\]")
_LACKS: Final = re.compile(r"missing required field (?P<name>\S+)|the input lacks '(?P<argument>[^']+)'")


def place_of(sentence: str, shape: Shape, *, single: bool) -> tuple[str, str]:
    """The path of the field and what to say at it; without a field, an empty path and the whole sentence.

    `single` is set where the form is about the one argument, not about an object of them.
    """
    argument, lacks = _ARGUMENT.search(sentence), _LACKS.search(sentence)
    path = ROOT if single or argument is None else f"{ROOT}.{argument['name']}"
    said = sentence
    at = _PATH.search(said)
    if at is not None:
        said = said[: at.start()] + said[at.end() :]
        path += "".join(f".{step['name'] or step['place']}" for step in _STEP.finditer(at["path"]))
    if lacks is not None:
        path += f".{lacks['name'] or lacks['argument']}"
        said = "it must be given"
    elif argument is not None or at is not None:
        said = said.rpartition(": ")[2] if argument is None else said[argument.end() :].lstrip(": ")
    leaf = find(shape, path)
    return (path, said) if leaf is not None and leaf.kind != "group" else ("", sentence)
