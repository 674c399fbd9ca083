"""A child process: imports the modules of its steps once, and runs one body after the other.

python -P -m orquestrax.worker.processes.child DESCRIPTOR

It ends when its socket does: idle at once, after closing its resources; under way it is killed by the node, by the
system (where it can be asked to), or by the node's guard.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from contextlib import suppress
from contextvars import Context
from typing import Any, Final

from orquestrax.base import failures
from orquestrax.base.errors import MemoryLimitExceeded, RetryAfter
from orquestrax.base.logs import name_records, origin
from orquestrax.define.outside import run_blocking
from orquestrax.define.step import Step
from orquestrax.worker.processes.finder import Finder
from orquestrax.worker.processes.frames import Wire
from orquestrax.worker.processes.guest import Guest
from orquestrax.worker.processes.memory import limited
from orquestrax.worker.processes.messages import (
    Begin,
    Outcome,
    Raised,
    Ready,
    Returned,
    Run,
    Warm,
    decode_order,
    encode,
)
from orquestrax.worker.processes.relay import adopt, relay

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Serve the node until it has nothing more to ask."""
    wire = Wire(socket.socket(fileno=int(sys.argv[1])))
    frame = wire.read()
    begin = None if frame is None else decode_order(frame)
    if isinstance(begin, Begin):
        _settle(begin, wire)
        with suppress(OSError):  # the node is gone
            wire.send(encode(Ready()))
            _serve(wire, begin)


def _settle(begin: Begin, wire: Wire) -> None:
    """Become what steps expect to run in, and what ends with its node."""
    _die_with(begin.parent)
    signal.signal(
        signal.SIGINT, lambda *_: None
    )  # Ctrl-C is the node's; a handler is not inherited, SIG_IGN is
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell starts what is in its background without it
    sys.path[:], sys.argv[:] = begin.path, begin.argv
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    name_records()
    relay(wire)
    adopt(begin.levels)
    os.register_at_fork(after_in_child=wire.forget)


def _serve(wire: Wire, begin: Begin) -> None:
    finder = Finder(lambda: adopt(begin.levels))  # modules may set levels of their own
    while (frame := wire.read()) is not None:
        order = decode_order(frame)
        if isinstance(order, Warm):
            for place in order.places:
                with suppress(Exception):  # it is told when the step is asked for
                    finder.find(place)
        elif isinstance(order, Run):
            guest = Guest(order.info, wire)
            outcome = Context().run(_run, order, finder, guest)
            _flush()
            guest.finish()
            wire.send(encode(outcome))


def _run(order: Run, finder: Finder, guest: Guest) -> Outcome:
    """One body, to its end: whatever it raises is its outcome."""
    try:
        step = finder.find(order.place)
        if order.says_begun:
            guest.begin()
        origin.set(guest)
        with limited(order.info.step, order.memory):
            result = _call(step, order.arguments)
    except BaseException as error:  # noqa: BLE001 - SystemExit of a body ends the body, not the child
        return _raised(error, order, finder)
    return Returned(result)


def _call(step: Step[..., Any], arguments: bytes) -> bytes:
    args, kwargs = step.signature.decode(arguments)
    encoded: bytes = step.signature.result.encode(run_blocking(step, args, kwargs))
    return encoded


def _raised(error: BaseException, order: Run, finder: Finder) -> Raised:
    lineage = [
        (finder.names.get(cls.__module__, cls.__module__), cls.__qualname__)
        for cls in type(error).__mro__[:-1]
    ]
    after = error.seconds if isinstance(error, RetryAfter) else None
    spent = isinstance(error, MemoryLimitExceeded | MemoryError)  # what it holds may never be free again
    return Raised(failures.encode(error, step=order.info.step), lineage, after, spent)


def _flush() -> None:
    """What a body printed is out before its step has ended."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a body may have closed or replaced it
            stream.flush()


def _die_with(parent: int) -> None:
    """Let the system kill this process when the node ends, where it can be asked to: also one that never listens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


if __name__ == "__main__":
    main()
