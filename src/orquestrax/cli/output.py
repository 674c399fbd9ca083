"""What commands print: JSON for programs, tables and text for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from orquestrax.cli.failing import printable
from orquestrax.client.views import as_datetime

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

TIMES: Final = ("created_at", "started_at", "ended_at", "first_at", "due", "since", "until")
WIDE: Final = 10_000  # columns of a table in a pipe: nothing is cut or wrapped there
STYLES: Final = {
    "pending": ("-", "dim"),
    "running": ("▶", "blue"),
    "waiting": ("⏸", "magenta"),
    "paused": ("‖", "magenta"),
    "blocked": ("⛔", "red"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("-", "dim"),
    "terminated": ("■", "red"),
}


def console(*, err: bool = False) -> Console:
    """A console that takes text as it is, without markup."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False, soft_wrap=False)


def with_times(data: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a history, its times, stored in microseconds, as times; payloads stay as they are."""
    known = {name: as_datetime(at) for name, at in data.items() if name in TIMES and isinstance(at, int)}
    return {**data, **known}


def print_json(value: Any) -> None:
    """Write a value as JSON, indented; times as ISO 8601 in UTC."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Text | str]], *, empty: str) -> None:
    """Rows under a line of headings; in a pipe each row is one line."""
    out, rows = console(), list(rows)
    if not rows:
        console(err=True).print(empty)
        return
    _print(out, table(columns, rows, wrap=out.is_terminal))


def print_facts(facts: Iterable[tuple[str, Text | str]]) -> None:
    """Names and values, a line or more each."""
    from rich.table import Table

    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in facts:
        made.add_row(name, value)
    _print(console(), made)


def _print(out: Console, made: Table) -> None:
    """Tables fill their lines with blanks, which a pipe is spared."""
    if out.is_terminal:
        out.print(made)
        return
    with out.capture() as captured:
        out.print(made)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def table(columns: Sequence[str], rows: Iterable[Sequence[Text | str]], *, wrap: bool = True) -> Table:
    """Rows under a line of headings, to be printed."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        made.add_column(name, no_wrap=not wrap)
    for row in rows:
        made.add_row(*row)
    return made


def status_text(status: str) -> Text:
    """A status as mark and word, coloured."""
    from rich.text import Text

    mark, style = STYLES.get(status, ("?", ""))
    return Text(f"{mark} {status}", style=style)


def plain(value: str) -> Text:
    """Text of somebody else's, made safe to print."""
    from rich.text import Text

    return Text(printable(value))


def compact(value: Any) -> str:
    """A value as JSON on one line."""
    return msgspec.json.encode(value).decode()


def moment(at: datetime | None) -> str:
    """A time as people read it: UTC, to the second."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def duration(span: timedelta | float | None) -> str:
    """A span of time: `340 ms`, `2.1 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`."""
    if span is None:
        return ""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, lesser, size, below in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"
