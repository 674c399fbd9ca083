"""An environment of its own for each engine under .artifacts/peers, made once; what cannot be had is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2] / ".artifacts" / "peers"
SERVER: Final = "@restatedev/restate-server-linux-x64"
SERVER_VERSION: Final = "1.7.12"


@dataclass(frozen=True)
class Peer:
    """What to install, and the oldest Python that takes it."""

    name: str
    requirements: tuple[str, ...]
    python: tuple[int, int] = (3, 11)


PEERS: Final = (
    Peer("dbos", ("dbos==3.4.0", "uvloop==0.23.0")),
    Peer("restate", ("restate-sdk==1.3.0", "hypercorn==0.18.0", "httpx==0.28.1", "uvloop==0.23.0")),
    Peer("absurd", ("absurd-sdk==0.5.1", "absurdctl==0.5.1", "psycopg[binary]==3.3.9", "uvloop==0.23.0")),
    Peer("oban", ("oban==0.7.0", "uvloop==0.23.0"), python=(3, 12)),
)


class NotInstallable(Exception):
    """This machine cannot have it; the message says why."""


def installed(peer: Peer) -> list[str]:
    """The command that runs the peer's child, without its last argument. Raises NotInstallable."""
    folder = ROOT / peer.name
    python, done = folder / "bin" / "python", folder / ".installed"
    wanted = "\n".join(peer.requirements)
    if not done.is_file() or done.read_text(encoding="utf-8") != wanted:
        print(f"installing {peer.name} into {folder} …", file=sys.stderr)
        _run(_interpreter(peer), "-m", "venv", "--clear", folder)
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.requirements)
        done.write_text(wanted, encoding="utf-8")
    return [str(python), "-m", f"bench.peers.{peer.name}"]


def restate_server() -> str:
    """The path of Restate's server, from npm. Raises NotInstallable."""
    folder = ROOT / "restate-server"
    binary = folder / "node_modules" / SERVER / "bin" / "restate-server"
    if not binary.is_file():
        npm = shutil.which("npm")
        if npm is None:
            raise NotInstallable("its server comes from npm, which is not here")
        print(f"installing the server of Restate into {folder} …", file=sys.stderr)
        _run(npm, "install", "--silent", "--prefix", folder, f"{SERVER}@{SERVER_VERSION}")
    return str(binary)


def _interpreter(peer: Peer) -> str:
    if sys.version_info >= peer.python:
        return sys.executable
    for minor in range(14, peer.python[1] - 1, -1):
        pyenv = (Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python3")
        for found in filter(None, [shutil.which(f"python3.{minor}"), *map(str, pyenv)]):
            if subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
                return found
    raise NotInstallable(f"it needs Python {peer.python[0]}.{peer.python[1]} or newer, and none is here")


def _run(*command: str | Path) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        last = (ran.stderr.strip() or ran.stdout.strip() or "no word").splitlines()[-1]
        raise NotInstallable(f"{Path(command[0]).name} failed: {last}")
