"""`orquestrax dev` as a process of its own, to be killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ORQUESTRAX = Path(sys.executable).with_name("orquestrax")
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Dev:
    """One run of `orquestrax dev` in a folder, with a home inside it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    began: float
    answered: float = 0.0

    @classmethod
    def start(cls, folder: Path, *modules: str, port: int | None = None) -> Dev:
        environment = {k: v for k, v in os.environ.items() if "DATABASE_URL" not in k}
        environment |= {"ORQUESTRAX_HOME": str(folder / "home"), "NO_COLOR": "1"}
        port = port or free_port()
        with (folder / "dev.log").open("ab") as log:
            began = time.time()
            process = subprocess.Popen(
                [str(ORQUESTRAX), "dev", *modules, "--port", str(port)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return cls(folder, port, process, began)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request to the API; waits until the server answers at all."""
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/api/v1{path}"
        deadline = time.monotonic() + PATIENCE
        while True:
            request = urllib.request.Request(url, data, {"content-type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    self.answered = self.answered or time.time()
                    return json.load(answer)
            except urllib.error.HTTPError:
                raise
            except OSError:
                assert self.process.poll() is None, (self.folder / "dev.log").read_text()
                assert time.monotonic() < deadline, (self.folder / "dev.log").read_text()
                time.sleep(0.02)

    def until_ended(self, id_: str) -> dict[str, Any]:
        """The instance, once it has ended."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            instance: dict[str, Any] = self.ask(f"/instances/{id_}")
            if instance["ended_at"] is not None:
                return instance
            time.sleep(0.05)
        raise AssertionError((self.folder / "dev.log").read_text())

    def kill(self) -> None:
        """`kill -9` of everything it started that runs our code: nothing gets to clean up."""
        processes = [
            psutil.Process(self.process.pid),
            *psutil.Process(self.process.pid).children(recursive=True),
        ]
        for process in processes:
            if "python" in process.name() or "orquestrax" in process.name():
                process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
