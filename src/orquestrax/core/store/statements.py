"""Loads sql/*.sql: one statement a file, with `{schema}` as the only substitution."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from orquestrax.base.errors import SettingsError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}")


def quoted_schema(name: str) -> str:
    """The schema's name as it may stand in SQL.

    Raises SettingsError for anything but lower-case letters, digits and underscores (at most 41 characters).
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"the namespace {name!r} is not a plain name: use lower-case letters, digits and underscores, "
            "41 at most, beginning with a letter"
        )
    return f'"{name}"'


@cache
def statement(schema: str, name: str) -> str:
    """The text of sql/<name>.sql for this schema."""
    text = files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return text.replace("{schema}", quoted_schema(schema))


@cache
def migrations(schema: str) -> tuple[tuple[int, str, str], ...]:
    """(number, name, text) of every migration, in order."""
    folder = files(__package__).joinpath("migrations")
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(
        (
            int(name[:4]),
            name,
            folder.joinpath(name).read_text(encoding="utf-8").replace("{schema}", quoted_schema(schema)),
        )
        for name in found
    )
