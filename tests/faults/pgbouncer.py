"""A pgbouncer in front of the tests' server, in transaction mode and with fewer backends than it has clients."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

HINT = "LOUD: there is no pgbouncer: apt-get install pgbouncer"
CONFIG = """
[databases]
* = {target}

[pgbouncer]
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
server_round_robin = 1
"""


class PgBouncer:
    """Runs as long as the test; `dsn` leads through it. Backends go round, so that nothing of a session is kept."""

    def __init__(self, dsn: str, folder: Path) -> None:
        if shutil.which("pgbouncer") is None:
            pytest.skip(HINT)
        parts = urlsplit(dsn)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        target = {
            "host": query.get("host") or parts.hostname,
            "port": query.get("port") or parts.port or 5432,
        }
        user = parts.username or "postgres"
        target |= {"user": user, **({"password": parts.password} if parts.password else {})}
        config = folder / "pgbouncer.ini"
        text = " ".join(f"{name}={value}" for name, value in target.items())
        config.write_text(CONFIG.format(target=text, port=self.port, folder=folder))
        self.dsn = f"postgresql://{quote(user)}@127.0.0.1:{self.port}{parts.path}"
        self.process = subprocess.Popen(
            ["pgbouncer", *self._unprivileged(folder, str(target["host"])), str(config)],
            stderr=subprocess.DEVNULL,
        )
        self._wait(folder)

    def _unprivileged(self, folder: Path, host: str) -> list[str]:
        """It refuses to run as root: then as who owns the server's sockets, for nobody else may reach them."""
        if os.geteuid() != 0:
            return []
        path = Path(host)
        owner = path.stat().st_uid if path.is_absolute() else pwd.getpwnam("nobody").pw_uid
        for made in (folder, folder / "pgbouncer.ini"):
            os.chown(made, owner, -1)
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        return ["-u", pwd.getpwuid(owner).pw_name]

    def _wait(self, folder: Path) -> None:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, (folder / "pgbouncer.log").read_text()
            time.sleep(0.05)
        raise AssertionError((folder / "pgbouncer.log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
