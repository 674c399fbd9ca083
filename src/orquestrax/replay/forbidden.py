"""What the loop of a workflow refuses: whatever reaches outside, or is decided by another thread or the host.

Each refusal is one sentence that names what to use instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NoReturn

from orquestrax.base.errors import ForbiddenInWorkflow

_OUTSIDE: Final = """
    getaddrinfo getnameinfo create_connection create_server sendfile start_tls
    create_unix_connection create_unix_server connect_accepted_socket create_datagram_endpoint
    connect_read_pipe connect_write_pipe subprocess_shell subprocess_exec
    add_reader remove_reader add_writer remove_writer
    sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto
    sock_connect sock_accept sock_sendfile
"""
_THREADS: Final = "run_in_executor set_default_executor"
_SIGNALS: Final = "add_signal_handler remove_signal_handler"
_LIFE: Final = """
    run_forever stop close shutdown_asyncgens shutdown_default_executor set_debug
"""
HAS_A_LOOP: Final = (
    "the workflow has a loop already, await the coroutine or make a task of it "
    "(a plain `def` awaits by orquestrax.await_)"
)
_ERRORS: Final = "set_exception_handler default_exception_handler"

_INSTEAD: Final = {
    **dict.fromkeys(_OUTSIDE.split(), "a connection, file or process cannot be replayed, put it in a step"),
    **dict.fromkeys(
        _THREADS.split(),
        "a thread cannot be replayed, make the function a step (a plain `def` runs in a thread)",
    ),
    "call_soon_threadsafe": (
        "what another thread does cannot be replayed, let a step do it, or send the workflow a signal"
    ),
    **dict.fromkeys(
        _SIGNALS.split(),
        "signals of the process are the node's, for messages from outside use orquestrax.receive",
    ),
    **dict.fromkeys(_LIFE.split(), "the loop of a workflow is run by the engine, leave the call out"),
    "run_until_complete": HAS_A_LOOP,
    **dict.fromkeys(_ERRORS.split(), "errors of callbacks go to the log, catch them in the callback"),
}


def refuse(facility: str, instead: str) -> NoReturn:
    """Say that workflow code cannot use this, and what it can use."""
    raise ForbiddenInWorkflow(f"{facility} does not work in a workflow: {instead}")


def _refusing(name: str) -> Callable[..., Any]:
    def method(self: object, *args: object, **kwargs: object) -> NoReturn:  # noqa: ARG001 - as its original
        for each in args:
            if asyncio.iscoroutine(each):
                each.close()  # nobody awaits it any more
        refuse(f"loop.{name}()", _INSTEAD[name])

    method.__name__ = method.__qualname__ = name
    return method


# The methods are plain even where the originals are coroutines: the error comes at the call.
ForbiddingLoop: Any = type(
    "ForbiddingLoop", (asyncio.AbstractEventLoop,), {name: _refusing(name) for name in _INSTEAD}
)
