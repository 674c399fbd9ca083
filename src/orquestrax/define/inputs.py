"""The rule for input that people write, the same in the CLI, REST and the dashboard.

With one parameter its JSON value; with several an array of them in order or an object of them by name; with
none it is left out. What is left out takes its default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orquestrax.base.codec.sentences import malformed, misfit
from orquestrax.base.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orquestrax.define.parameters import Parameter

_parts_in_order = msgspec.json.Decoder(list[msgspec.Raw]).decode
_parts_by_name = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value = msgspec.json.Decoder().decode


def stored_parts(raw: bytes | str, parameters: Sequence[Parameter], *, where: str) -> list[bytes]:
    """The arguments of a stored array, each as JSON; defaults for what it is too old to hold."""
    return _completed(_in_order(raw, parameters, where), parameters, where)


def written_parts(raw: bytes | str | None, parameters: Sequence[Parameter], *, where: str) -> list[bytes]:
    """The arguments of what a person wrote, each as JSON, defaults filled in; raises PayloadError."""
    if raw is None:
        return _completed([], parameters, where)
    if not parameters:
        _refuse_any(raw, where)
        return []
    if len(parameters) == 1:
        return [raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw]
    match raw.lstrip()[:1]:
        case b"[" | "[":
            return _completed(_in_order(raw, parameters, where), parameters, where)
        case b"{" | "{":
            return _completed(_by_name(raw, parameters, where), parameters, where)
        case _:
            _decoded(_value, raw, where)
            raise PayloadError(
                f"{where}: it takes {names_of(parameters)}; "
                "give a JSON array of them in order, or an object of them by name"
            )


def names_of(parameters: Sequence[Parameter]) -> str:
    """The parameters as people read them: `order, note (optional)`."""
    return (
        ", ".join(p.name if p.default is None else f"{p.name} (optional)" for p in parameters)
        or "no arguments"
    )


def _refuse_any(raw: bytes | str, where: str) -> None:
    if _decoded(_value, raw, where) not in (None, [], {}):
        raise PayloadError(f"{where}: it takes no arguments; leave the input out")


def _in_order(raw: bytes | str, parameters: Sequence[Parameter], where: str) -> list[bytes | None]:
    parts = _decoded(_parts_in_order, raw, where)
    if len(parts) > len(parameters):
        raise PayloadError(f"{where}: {len(parts)} arguments are given, but it takes {names_of(parameters)}")
    return [bytes(part) for part in parts]


def _by_name(raw: bytes | str, parameters: Sequence[Parameter], where: str) -> list[bytes | None]:
    parts = _decoded(_parts_by_name, raw, where)
    unknown = sorted(parts.keys() - {p.name for p in parameters})
    if unknown:
        raise PayloadError(
            f"{where}: it has no argument {', '.join(map(repr, unknown))}; it takes {names_of(parameters)}"
        )
    return [bytes(parts[p.name]) if p.name in parts else None for p in parameters]


def _completed(parts: Sequence[bytes | None], parameters: Sequence[Parameter], where: str) -> list[bytes]:
    padded = [*parts, *[None] * (len(parameters) - len(parts))]
    full = [p.default if part is None else part for p, part in zip(parameters, padded, strict=True)]
    missing = [repr(p.name) for p, part in zip(parameters, full, strict=True) if part is None]
    if missing:
        raise PayloadError(f"{where}: the input lacks {', '.join(missing)}; it takes {names_of(parameters)}")
    return [part for part in full if part is not None]


def _decoded(decode: Any, raw: bytes | str, where: str) -> Any:
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        raise PayloadError(f"{where}: {misfit(error)[0]}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PayloadError(f"{where}: {malformed(error, raw)}") from None
