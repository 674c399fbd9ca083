"""A user of the embedded server, as a process of its own: `python user.py HOME`, steered by lines on stdin.

It prints one line of JSON when it has the server, and one for each command:
`again` attaches once more, `fork` leaves a child that outlives it, `stop` lets go. The end of stdin ends it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.core.store.embedded import EmbeddedServer, start_embedded


def main() -> None:
    home = Path(sys.argv[1])
    server = attach(home)
    for command in sys.stdin:
        match command.strip():
            case "again":
                attach(home)
            case "stop" if server:
                server.stop()
                tell(stopped=True)
            case "fork":
                fork(server)


def attach(home: Path) -> EmbeddedServer | None:
    try:
        server = start_embedded(home=home, project=home)
    except EmbeddedServerError as error:
        tell(error=str(error))
        return None
    tell(dsn=server.dsn, host=server.host, version=server.version)
    return server


def fork(server: EmbeddedServer | None) -> None:
    """The child gives up what it inherited, as any forked worker may, and then lives on."""
    child = os.fork()
    if child == 0:
        if server:
            server.stop()
        tell(child=os.getpid())
        signal.pause()


def tell(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
