"""Data of an older major version, brought to the one that is installed by PostgreSQL's own `pg_upgrade`.

    data ──▶ the old server starts and stops once: whatever ended it, its log is replayed
    data.new-x/data ◀── initdb by the new binaries ◀── pg_upgrade copies: the old files are only read
    data ──▶ data.upgraded ──▶ data.old-15          data.new-x/data ──▶ data

Whatever ends it in between, the next start finds either the old data or the new under the name `data`: see
`cluster.ensure_data`, which undoes the one moment at which there is none.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

from .binaries import ask, find_binaries, search
from .cluster import SUPERUSER, UNFINISHED, UPGRADED, initdb, made_by, run_as_server, sync, useful_line
from .copies import reachable
from .launch import launch
from .layout import default_home, prepare
from .locks import locked, nobody_holds, open_file
from .postmaster import stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .binaries import Binaries
    from .layout import Layout

CHECKSUMS = 18  # the first version whose initdb makes them unasked


@dataclass(frozen=True)
class Upgrade:
    """What was done: from and to which version, such as "15.14" and "18.6"; where the old data lies now."""

    old: str
    new: str
    kept: Path


def upgrade(*, home: Path | None = None, bindir: Path | None = None) -> Upgrade | None:
    """Bring the data of `home` to the installed version; None if it is of that version already.

    `bindir` holds the binaries of the old version; unless given they are looked for. Blocks: seconds, and as long
    as it takes to copy the data. Raises `EmbeddedServerError`; then the data is as it was.
    """
    layout = prepare(home or default_home())
    if not layout.data.exists():
        return None
    with _alone(layout):
        new = reachable(find_binaries(), layout.account)
        version = made_by(layout)
        if version == str(new.major):
            return None
        old = reachable(_binaries_of(version, layout, new, bindir), layout.account)
        socket_dir = launch(layout, old).socket_dir
        stop(layout.data)
        return Upgrade(old.version, new.version, _replace(layout, old, new, socket_dir))


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Nobody starts the server meanwhile, and nobody uses it."""
    os.close(open_file(layout.start_lock, os.O_RDWR))
    with locked(layout.start_lock, seconds=60.0):
        with contextlib.suppress(FileNotFoundError):
            if not nobody_holds(layout.users_lock):
                raise EmbeddedServerError(
                    f"the server of {layout.data} is in use: end the programs that use it first"
                )
        stop(layout.data)
        yield


def _binaries_of(version: str, layout: Layout, new: Binaries, bindir: Path | None) -> Binaries:
    """Those that can read the data. Raises `EmbeddedServerError`."""
    if int(version) > new.major:
        raise EmbeddedServerError(
            f"the data directory {layout.data} was made by PostgreSQL {version}, and {new.bindir} is only "
            f"{new.version}: name newer binaries by ORQUESTRAX_PG_BINDIR"
        )
    found = (
        ask(bindir) if bindir is not None else next((b for b in search() if str(b.major) == version), None)
    )
    if found is None or str(found.major) != version:
        raise EmbeddedServerError(
            f"the data directory {layout.data} was made by PostgreSQL {version}, whose binaries are "
            f"{f'not in {bindir}' if bindir else 'not installed here'}: name their directory by --from"
        )
    return found


def _replace(layout: Layout, old: Binaries, new: Binaries, socket_dir: Path) -> Path:
    """The new data directory under the name of the old one; returns where the old one is kept."""
    if (layout.cluster / UPGRADED).exists():  # an earlier upgrade was cut off when all but the name was done
        _keep(layout)
    work = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=layout.cluster))
    try:
        layout.account.own(work)
        fresh = work / "data"
        initdb(layout, new, fresh, more=_checksums(layout, old, new))
        _pg_upgrade(layout, old, new, fresh, socket_dir)
        layout.data.rename(layout.cluster / UPGRADED)
        fresh.rename(layout.data)
        sync(layout.cluster)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _keep(layout)


def _keep(layout: Layout) -> Path:
    """Give the old data a name of its own; what is there from before stays."""
    data = layout.cluster / UPGRADED
    version = (data / "PG_VERSION").read_text().strip()
    names = chain([f"data.old-{version}"], (f"data.old-{version}-{number}" for number in count(2)))
    return data.rename(next(layout.cluster / name for name in names if not (layout.cluster / name).exists()))


def _checksums(layout: Layout, old: Binaries, new: Binaries) -> list[str]:
    """Both clusters have page checksums or both have none."""
    shown = _run(layout, [str(old.bindir / "pg_controldata"), "-D", str(layout.data)], layout.cluster)
    found = re.search(r"checksum version:\s+(\d+)", shown)
    if found is not None and found[1] != "0":
        return ["--data-checksums"]
    return ["--no-data-checksums"] if new.major >= CHECKSUMS else []


def _pg_upgrade(layout: Layout, old: Binaries, new: Binaries, fresh: Path, socket_dir: Path) -> None:
    """https://www.postgresql.org/docs/current/pgupgrade.html, in its mode that copies."""
    command = [str(new.bindir / "pg_upgrade"), "--username", SUPERUSER, "--socketdir", str(socket_dir)]
    command += ["--old-bindir", str(old.bindir), "--new-bindir", str(new.bindir)]
    command += ["--old-datadir", str(layout.data), "--new-datadir", str(fresh)]
    _run(layout, command, fresh.parent)


def _run(layout: Layout, command: list[str], folder: Path) -> str:
    """What the program says. Raises `EmbeddedServerError` with its reason if it fails."""
    done = run_as_server(layout, command, cwd=str(folder))
    if done.returncode != 0:
        raise EmbeddedServerError(
            f"{Path(command[0]).name} cannot upgrade the data directory {layout.data}, which is as it was: "
            f"{useful_line(done.stderr + done.stdout)}"
        )
    return done.stdout
