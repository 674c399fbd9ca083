"""A process of `dev`: imports the code, and serves it until the supervisor, or its end, says stop.

python -m orquestrax.cli.child DESCRIPTOR
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orquestrax.base.errors import DefinitionError
from orquestrax.cli.control import (
    Begin,
    Failed,
    Go,
    Kill,
    Loaded,
    News,
    Nodes,
    Order,
    Ready,
    decode_order,
    encode,
)
from orquestrax.cli.failing import sentence_of, show_trace
from orquestrax.define.catalogue import collect
from orquestrax.define.modules import load_modules, own_files

if TYPE_CHECKING:
    from orquestrax.define.workflow import Workflow

DEMO: Final = "orquestrax.demo"
BEAT: Final = 0.5  # seconds between heartbeats: people look at them
GRACE: Final = 3.0  # seconds that running steps have to end when new code takes over
LAST: Final = 10.0  # seconds that the whole end may take, whatever users' code does


def main() -> None:
    """Serve until told to stop."""
    control = Control(int(sys.argv[1]))
    begin = control.read()
    if not isinstance(begin, Begin):  # the supervisor has gone already
        return
    try:
        workflows = _load(begin.modules)
        control.tell(Loaded(own_files()))
        _serve(begin, workflows, control)
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor says it in one sentence
        show_trace()
        control.tell(Failed(sentence_of(error), own_files(error), isinstance(error, DefinitionError)))


def _load(modules: list[str]) -> dict[str, Workflow[..., Any]]:
    """Import the modules. Byte code is told from its source by whole seconds, so none is left behind."""
    sys.dont_write_bytecode = True
    try:
        return collect(load_modules([*modules, DEMO])).workflows
    finally:
        sys.dont_write_bytecode = False


def _serve(begin: Begin, workflows: dict[str, Workflow[..., Any]], control: Control) -> None:
    import uvloop

    from orquestrax.cli.logs import log_to_stderr
    from orquestrax.node import scrutiny, serving  # noqa: F401 - slow to import, and there is time before the order to go

    if not isinstance(control.read(), Go):
        return
    log_to_stderr()
    scrutiny.want()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stop(begin, workflows, control))


async def _until_stop(begin: Begin, workflows: dict[str, Workflow[..., Any]], control: Control) -> None:
    from orquestrax.node.serving import serving
    from orquestrax.settings import load_settings

    settings = load_settings(begin.flags)
    listening = None if begin.listening is None else socket.socket(fileno=begin.listening)
    neighbours = Neighbours(control)
    stopped = control.stopped(asyncio.get_running_loop(), neighbours.hear)
    async with serving(
        replace(settings, heartbeat=min(settings.heartbeat, BEAT)),
        workflows,
        roles=begin.roles,
        grace=GRACE,
        listening=listening,
        neighbours=neighbours,
    ) as (_, web):
        control.tell(Ready("" if web is None else web.url, sorted(workflows)))
        await stopped.wait()


class Control:
    """This process's end of the control socket."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._lines = self._socket.makefile("rb")

    def read(self) -> Order | None:
        """Wait for an order; None at the end."""
        line = self._lines.readline()
        return decode_order(line) if line else None

    def tell(self, news: News) -> None:
        """Tell the supervisor, if it is still there."""
        try:
            self._socket.sendall(encode(news))
        except OSError:
            return

    def stopped(self, loop: asyncio.AbstractEventLoop, hear: Callable[[Nodes], None]) -> asyncio.Event:
        """Set at the end of the socket; some seconds later the process ends in any case. `hear` is told of nodes.

        A thread waits for that, because users' code may block the loop.
        """
        stopped = asyncio.Event()

        def wait() -> None:
            while (order := self.read()) is not None:
                if isinstance(order, Nodes):
                    hear(order)
            with suppress(RuntimeError):  # the loop is closed: this process is about to end anyway
                loop.call_soon_threadsafe(stopped.set)
            threading.Event().wait(LAST)
            os._exit(1)

        threading.Thread(target=wait, name="control", daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(stopped.set))
        return stopped


class Neighbours:
    """The nodes that `dev` runs, as its dashboard knows them; see `web.context.Neighbours`."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.pids: frozenset[int] = frozenset()

    def hear(self, nodes: Nodes) -> None:
        """Which there are now."""
        self.pids = frozenset(nodes.pids)

    def kill(self, pid: int) -> None:
        """Have the supervisor kill the process, which it started itself."""
        self._control.tell(Kill(pid))


if __name__ == "__main__":
    main()
