"""W7: from the start of `orquestrax dev` to the first finished workflow, database included."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

MODULE = '''import orquestrax as ox

@ox.workflow
async def first() -> int:
    """A workflow that does nothing."""
    return 1
'''


def cold_and_warm() -> tuple[float, float]:
    """Seconds for an empty home, and for the same home a second time."""
    folder = Path(tempfile.mkdtemp(prefix="ox-bench-"))
    try:
        (folder / "first.py").write_text(MODULE, encoding="utf-8")
        return _once(folder), _once(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _once(folder: Path) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "ORQUESTRAX_HOME": str(folder / "home")}
    environment.pop("ORQUESTRAX_DATABASE_URL", None)
    environment.pop("DATABASE_URL", None)
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("orquestrax")), "dev", "first.py", "--port", str(port)],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _finish_one(f"http://127.0.0.1:{port}/api/v1/instances")
        return time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _finish_one(url: str) -> None:
    """Start the workflow as soon as the API answers, and wait until it has completed."""
    request = urllib.request.Request(
        url, data=json.dumps({"definition": "first"}).encode(), headers={"content-type": "application/json"}
    )
    deadline = time.perf_counter() + 60
    id_ = None
    while time.perf_counter() < deadline:
        try:
            if id_ is None:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    id_ = json.load(answer)["id"]
            with urllib.request.urlopen(f"{url}/{id_}", timeout=5) as answer:
                if json.load(answer)["status"] == "completed":
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.01)
    raise TimeoutError("no workflow finished within 60 s")
