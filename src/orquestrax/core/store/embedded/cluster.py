"""The data directory: made by initdb, and checked against the binaries that are to serve it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

if TYPE_CHECKING:
    from .binaries import Binaries
    from .layout import Layout

SUPERUSER = "orquestrax"
BUILTIN_LOCALE = 17  # the first version with a C.UTF-8 that is the same on every system
KEPT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def environment() -> dict[str, str]:
    """What the server sees of our environment: no PG* variables that bend it, no secrets of the application."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def initialise(layout: Layout, binaries: Binaries) -> None:
    """Make the data directory. It appears under its name only when it is complete."""
    fresh = Path(tempfile.mkdtemp(prefix="data.new-", dir=layout.cluster))
    try:
        layout.account.own(fresh)
        _initdb(layout, binaries, fresh)
        fresh.rename(layout.data)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _initdb(layout: Layout, binaries: Binaries, target: Path) -> None:
    command = [
        binaries.bindir / "initdb",
        "-D",
        target,
        "-U",
        SUPERUSER,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
    ]
    if binaries.major >= BUILTIN_LOCALE:
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, errors="replace", check=False, env=environment(), **layout.account.spawn_options()
    )  # fmt: skip
    if done.returncode != 0:
        raise EmbeddedServerError(
            f"initdb could not make the data directory {layout.data}: {useful_line(done.stderr or done.stdout)}"
        )


def check_version(layout: Layout, binaries: Binaries) -> None:
    """Refuse a data directory of another major version: its files mean something else to these binaries."""
    made_by = (layout.data / "PG_VERSION").read_text().strip()
    if made_by != str(binaries.major):
        raise EmbeddedServerError(
            f"the data directory {layout.data} was made by PostgreSQL {made_by}, but the binaries in "
            f"{binaries.bindir} are {binaries.version}: to upgrade, set ORQUESTRAX_PG_BINDIR to a directory of "
            f"PostgreSQL {made_by} binaries, start once more and dump the databases with its pg_dump, move the data "
            "directory aside, unset the variable, and restore the dumps with psql"
        )


def useful_line(output: str) -> str:
    """The line that says what went wrong, of all that initdb or the server wrote."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for pattern in (r"\b(FATAL|PANIC):", r"\berror:", r"could not|[Cc]annot|No space"):
        for line in lines:
            if re.search(pattern, line):
                return re.sub(r"^.*?\b(FATAL|PANIC|error):\s*", "", line)
    return lines[-1] if lines else "it said nothing"
