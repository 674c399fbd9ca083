"""Every failure as one sentence on stderr, and its exit status. No box, no traceback."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final

import typer

from orquestrax.base.errors import InvalidInput, OrquestraxError, SettingsError

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
DEBUG: Final = "ORQUESTRAX_DEBUG"


def call(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status."""
    try:
        status = app(list(arguments), prog_name="orquestrax", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # `orquestrax list | head`: nobody reads on, and the exit must not try to write
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILED if stop.code else 0
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes one sentence
        show_trace()
        say_error(sentence_of(error))
        return status_of(error)
    return status if isinstance(status, int) else 0


def show_trace() -> None:
    """Print the traceback of the error that is being handled, for those who asked for it."""
    if os.environ.get(DEBUG):
        traceback.print_exc()


def say_error(sentence: str) -> None:
    """Write it to stderr as `error: …`."""
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    say(sentence)


def say(sentence: str) -> None:
    """Write one line to stderr; a pipe that nobody reads is no reason to fail."""
    try:
        typer.echo(printable(sentence), err=True)
    except BrokenPipeError:
        return


def printable(text: str) -> str:
    """The text without what would move a terminal's cursor or could not be written."""
    plain = "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
    return plain.encode(errors="backslashreplace").decode()


def status_of(error: Exception) -> int:
    """2 for what the caller got wrong on the command line, 1 for what failed."""
    if isinstance(error, InvalidInput | SettingsError):
        return MISUSED
    status: int = getattr(error, "exit_code", FAILED)
    return status


def sentence_of(error: Exception) -> str:
    """What to say of a failure, on one line."""
    if isinstance(error, OrquestraxError):
        return one_line(str(error))
    if hasattr(error, "format_message"):  # of the library that parses the command line
        return _usage(error)
    if _of_postgres(error):
        return f"PostgreSQL refused: {one_line(str(error))}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return (
        f"{type(error).__name__}: {one_line(str(error))}; this is a fault of OrquestraX, "
        f"set {DEBUG}=1 to see where, and report it"
    )


def _of_postgres(error: Exception) -> bool:
    return any(base.__module__.startswith("asyncpg.") for base in type(error).__mro__)


def _usage(error: Any) -> str:
    text = one_line(error.format_message()).rstrip(".")
    context = getattr(error, "ctx", None)
    text = re.sub(r"^\w|(?<=: )[A-Z](?=[a-z])", lambda first: first[0].lower(), text)
    return f"{text}; see `{context.command_path} --help`" if context is not None else text


def one_line(text: str) -> str:
    """The text on one line: PostgreSQL's errors have more than one when they come with details."""
    return " ".join(text.split())
