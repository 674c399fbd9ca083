"""The data directory: made by initdb, and checked before binaries are let at it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orquestrax.base.errors import EmbeddedServerError

from .binaries import search

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .binaries import Binaries
    from .layout import Layout

SUPERUSER = "orquestrax"
BUILTIN_LOCALE = 17  # the first version that has a C.UTF-8 of its own, the same on every system
KEPT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
UNFINISHED = "data.new-"
UPGRADED = "data.upgraded"  # the old data, between the two renames of an upgrade


def environment() -> dict[str, str]:
    """What the server sees of our environment: no PG* variables that bend it, no secrets of the application.

    TZ spares initdb the search for the name of the system's time zone.
    """
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def ensure_data(layout: Layout, binaries: Binaries) -> None:
    """Make the data directory unless there is one, and refuse one that these binaries cannot serve."""
    for leftover in layout.cluster.glob(f"{UNFINISHED}*"):
        _remove_unfinished(leftover)
    if (layout.cluster / UPGRADED).exists() and not layout.data.exists():  # an upgrade was cut off
        (layout.cluster / UPGRADED).rename(layout.data)
    if not layout.data.exists() or not any(layout.data.iterdir()):
        _make_data(layout, binaries)
    _check_version(layout, binaries)
    _check_owner(layout)


def _make_data(layout: Layout, binaries: Binaries) -> None:
    """The directory appears under its name only when it is complete.

    Its lock is inherited by initdb, which goes on for a while if we are killed.
    """
    fresh = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=layout.cluster))
    lock = _lock(fresh)
    try:
        layout.account.own(fresh)
        initdb(layout, binaries, fresh, lock)
        fresh.rename(layout.data)
        sync(layout.cluster)
    finally:
        os.close(lock)
        shutil.rmtree(fresh, ignore_errors=True)


def _remove_unfinished(directory: Path) -> None:
    """Remove what a killed process left, after the end of an initdb that still writes there."""
    lock = _lock(directory)
    shutil.rmtree(directory, ignore_errors=True)
    os.close(lock)


def _lock(directory: Path) -> int:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def run_as_server(layout: Layout, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs to its end as the server's user; `options` are those of `subprocess.run`."""
    return subprocess.run(  # noqa: S603
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=environment(),
        **(layout.account.spawn_options() | options),
    )


def initdb(
    layout: Layout, binaries: Binaries, target: Path, lock: int | None = None, more: Iterable[str] = ()
) -> None:
    """Make a data directory; `lock` is inherited. Raises `EmbeddedServerError`."""
    command = [str(binaries.bindir / "initdb"), "-D", str(target), "-U", SUPERUSER]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C", *more]
    if binaries.major >= BUILTIN_LOCALE:
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = run_as_server(layout, command, pass_fds=() if lock is None else (lock,))
    if done.returncode != 0:
        raise EmbeddedServerError(
            f"initdb cannot make the data directory {layout.data}: {useful_line(done.stderr or done.stdout)}"
        )


def _check_version(layout: Layout, binaries: Binaries) -> None:
    """The files of another major version mean something else to these binaries."""
    version = made_by(layout)
    if version == str(binaries.major):
        return
    advice = "name newer binaries by ORQUESTRAX_PG_BINDIR"
    if int(version) < binaries.major:
        there = any(str(found.major) == version for found in search())
        more = "" if there else f" --from DIR, a directory of PostgreSQL {version} binaries"
        advice = f"run `orquestrax db upgrade`{more}"
    raise EmbeddedServerError(
        f"the data directory {layout.data} was made by PostgreSQL {version}, but {binaries.bindir} is "
        f"{binaries.version}: {advice}"
    )


def made_by(layout: Layout) -> str:
    """The major version that made the data directory, such as "15". Raises `EmbeddedServerError`."""
    try:
        version = (layout.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise EmbeddedServerError(
            f"{layout.data} is no data directory of PostgreSQL, for it has no PG_VERSION: move it aside"
        ) from None
    if not version.isdecimal():
        raise EmbeddedServerError(f"{layout.data} was made by PostgreSQL {version!r}: move it aside")
    return version


def _check_owner(layout: Layout) -> None:
    owner = layout.data.stat().st_uid
    if owner != layout.account.uid:
        raise EmbeddedServerError(
            f"the data directory {layout.data} belongs to uid {owner}, but its server would run as "
            f"{layout.account.name} (uid {layout.account.uid}): chown -R {layout.account.uid} {layout.data}"
        )


def sync(directory: Path) -> None:
    """What was renamed in the directory is on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def useful_line(output: str) -> str:
    """The line that says what went wrong, of all that initdb or the server wrote."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for pattern in (r"\b(PANIC|FATAL|error):\s+", r"^(?=.*(could not|cannot))"):
        for line in lines:
            if found := re.search(pattern, line):
                return line[found.end() :]
    return lines[-1] if lines else "it gave no reason"
