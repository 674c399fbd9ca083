"""Restate: its server, the services in a process of their own, and this client.

`python -m bench.peers.restate SERVER`
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop

from bench.peers.http import Requests
from bench.peers.talk import Engine, serve


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(*command: str | Path, environment: dict[str, str], log: Path) -> Iterator[None]:
    """A process for as long as the block runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


async def main(server: str) -> None:
    """Measure until stdin ends."""
    admin, ingress, node, service = (free_port() for _ in range(4))
    with tempfile.TemporaryDirectory(prefix="ox-restate-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environment = {
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
            "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
            "RESTATE_BASE_DIR": str(folder / "data"),
            "RESTATE_NODE_NAME": "bench",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_BIFROST__LOCAL__ROCKSDB_DISABLE_WAL_FSYNC": "false",
        }
        serving = (sys.executable, "-m", "bench.peers.restate_service", str(service))
        with (
            running(server, environment=environment, log=folder / "server.log"),
            running(*serving, environment={}, log=folder / "service.log"),
        ):
            await _registered(Requests("127.0.0.1", admin), f"http://127.0.0.1:{service}", folder)
            await _measure(Requests("127.0.0.1", ingress), server)


async def _registered(requests: Requests, uri: str, folder: Path) -> None:
    for _ in range(300):
        with suppress(OSError, RuntimeError, asyncio.IncompleteReadError):
            await requests.post("/deployments", {"uri": uri})
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"the server of Restate took no deployment within 30 s: {_last_words(folder)}")


def _last_words(folder: Path) -> str:
    return "".join(log.read_text(errors="replace")[-2000:] for log in folder.glob("*.log"))


def _version(server: str) -> str:
    return subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


async def _measure(requests: Requests, server: str) -> None:
    def run(name: str, value: int) -> Any:
        return requests.post(f"/bench/{name}", value)

    await serve(
        Engine(
            versions={"restate-server": _version(server), "restate-sdk": version("restate-sdk")},
            settings="its own log with fsync; services by hypercorn over HTTP/2 with uvloop, in their own process",
            one_step=lambda n: run("one_step", n),
            ten_steps=lambda n: run("ten_steps", n),
            fan_out=lambda width: run("fan_out", width),
            noop=lambda: run("noop", 1),
        )
    )


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
