"""What the loop of a workflow refuses: everything that reaches outside, or that another thread or the host decides.

Each refusal is one sentence that names what to use instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NoReturn

from orquestrax.base.errors import ForbiddenInWorkflow

_STEP: Final = "put it in a step and await that"
_OWNED: Final = "the loop of a workflow is run by the engine, leave this call out"

_INSTEAD: Final = {
    # the outside world
    **dict.fromkeys(
        (
            "getaddrinfo", "getnameinfo", "create_connection", "create_server", "sendfile", "start_tls",
            "create_unix_connection", "create_unix_server", "connect_accepted_socket", "create_datagram_endpoint",
            "connect_read_pipe", "connect_write_pipe", "subprocess_shell", "subprocess_exec",
            "add_reader", "remove_reader", "add_writer", "remove_writer",
            "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto",
            "sock_connect", "sock_accept", "sock_sendfile",
        ),
        f"a connection, file or process cannot be replayed: {_STEP}",
    ),
    **dict.fromkeys(
        ("run_in_executor", "set_default_executor"),
        "a thread cannot be replayed: make the function a step (a plain `def` step runs in a thread) and await it",
    ),
    "call_soon_threadsafe": (
        "another thread cannot call into a workflow, as that cannot be replayed: let a step do the work and await it, "
        "or send the workflow a signal"
    ),
    **dict.fromkeys(
        ("add_signal_handler", "remove_signal_handler"),
        "signals of the process belong to the node: for messages from outside use orquestrax.receive",
    ),
    # the loop's own life
    **dict.fromkeys(
        (
            "run_forever", "run_until_complete", "stop", "close", "shutdown_asyncgens", "shutdown_default_executor",
            "set_debug",
        ),
        _OWNED,
    ),
    **dict.fromkeys(
        ("set_exception_handler", "default_exception_handler"),
        "errors of callbacks go to the log of the instance: catch them in the callback",
    ),
}  # fmt: skip


def refuse(facility: str, instead: str) -> NoReturn:
    """Say that workflow code cannot use this, and what it can use."""
    raise ForbiddenInWorkflow(f"{facility} does not work in a workflow: {instead}")


def _refusing(name: str) -> Callable[..., Any]:
    def method(self: object, *args: object, **kwargs: object) -> NoReturn:  # noqa: ARG001 - takes what its original takes
        refuse(f"loop.{name}()", _INSTEAD[name])

    method.__name__ = method.__qualname__ = name
    return method


class _Refusing:
    """The methods above. They are plain even where the originals are coroutines: the error comes at the call."""


for _name in _INSTEAD:
    setattr(_Refusing, _name, _refusing(_name))


class ForbiddingLoop(_Refusing, asyncio.AbstractEventLoop):
    """An event loop without any way outside; what remains is in `loop`."""
