"""The same start as Python, as a command, as curl: for whoever wants it in a script."""

from __future__ import annotations

import dataclasses
import enum
import shlex
from typing import Any, Final

import msgspec

from orquestrax.define.workflow import Workflow

_SCRIPT: Final = """\
import asyncio

import orquestrax as ox
{imports}

async def main() -> None:
    async with ox.connect() as client:
        run = await client.start({call})
        print(await run.result())


asyncio.run(main())
"""
Names = dict[str, set[str]]


def as_command(definition: str, raw: str | None, id_: str, priority: int) -> str:
    """A line for the shell."""
    words = ["orquestrax", "run", definition]
    words += ["--input", raw] if raw is not None else []
    words += ["--id", id_] if id_ else []
    words += ["--priority", str(priority)] if priority != 2 else []  # noqa: PLR2004 - the default
    return shlex.join([*words, "--wait"])


def as_curl(url: str, definition: str, raw: str | None, id_: str, priority: int) -> str:
    """A request to the API of this server."""
    parts = {"definition": _json(definition)}
    parts |= {"input": raw} if raw is not None else {}
    parts |= {"id": _json(id_)} if id_ else {}
    parts |= {"priority": str(priority)} if priority != 2 else {}  # noqa: PLR2004 - the default
    body = "{" + ", ".join(f'"{name}": {value}' for name, value in parts.items()) + "}"
    return f"curl {shlex.quote(url)} \\\n  -H 'content-type: application/json' \\\n  -d {shlex.quote(body)}"


def as_python(workflow: Workflow[Any, Any], encoded: bytes, id_: str, priority: int) -> str:
    """A program; the arguments are written as their types have them."""
    names: Names = {}
    _import(workflow.fn.__module__, workflow.fn.__name__, names)
    args, kwargs = workflow.signature.decode(encoded)
    call = [workflow.fn.__name__, *(_literal(value, names) for value in (*args, *kwargs.values()))]
    call += [f"id={id_!r}"] if id_ else []
    call += [f"priority={priority}"] if priority != 2 else []  # noqa: PLR2004 - the default
    imports = "".join(
        f"from {module} import {', '.join(sorted(found))}\n" for module, found in sorted(names.items())
    )
    return _SCRIPT.format(imports=imports, call=", ".join(call))


def _import(module: str, name: str, names: Names) -> None:
    if module != "builtins":
        names.setdefault(module, set()).add(name.partition(".")[0])


def _literal(value: Any, names: Names) -> str:
    """The expression that makes a value."""
    kind = type(value)
    if isinstance(value, enum.Enum):
        _import(kind.__module__, kind.__qualname__, names)
        return f"{kind.__qualname__}.{value.name}"
    if fields := _fields(value):
        _import(kind.__module__, kind.__qualname__, names)
        given = (f"{name}={_literal(getattr(value, name), names)}" for name in fields)
        return f"{kind.__qualname__}({', '.join(given)})"
    if kind is list:
        return f"[{', '.join(_literal(item, names) for item in value)}]"
    if kind is dict:
        return "{" + ", ".join(f"{_literal(k, names)}: {_literal(v, names)}" for k, v in value.items()) + "}"
    if kind.__module__ != "builtins":
        _import(kind.__module__, kind.__qualname__, names)
        return repr(value).removeprefix(f"{kind.__module__}.")
    return repr(value)


def _fields(value: Any) -> list[str]:
    """The names of what a dataclass or struct is made of."""
    if isinstance(value, msgspec.Struct):
        return list(value.__struct_fields__)
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value) if field.init]
    return []


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
