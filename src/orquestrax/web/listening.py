"""Where the dashboard may listen: decided before anything heavy is imported or anything is written."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Final

from orquestrax.base.errors import SettingsError
from orquestrax.settings import Settings

BACKLOG: Final = 512
MIN_TOKEN: Final = 32


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError, one sentence, if that address cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"the host {host!r} cannot be used: {error.strerror}; check --host") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _not_bound(host, port, error) from error
    listening.setblocking(False)
    return listening


def _not_bound(host: str, port: int, error: OSError) -> SettingsError:
    if error.errno == errno.EADDRINUSE:
        return SettingsError(
            f"port {port} is taken: something else listens there; use --port {port + 1} or PORT={port + 1}"
        )
    if error.errno == errno.EACCES:
        return SettingsError(f"port {port} is not for ordinary users: use --port or PORT= with 1024 or more")
    return SettingsError(
        f"the dashboard cannot listen at {host}:{port}: {error.strerror}; use --host or --port"
    )


def require_token(settings: Settings) -> None:
    """Loopback needs no login; any other address is refused without a token. Raises SettingsError."""
    if is_loopback(settings.host):
        return
    if settings.token is None or len(settings.token) < MIN_TOKEN:
        raise SettingsError(
            f"host {settings.host} can be reached from other machines: set ORQUESTRAX_TOKEN to {MIN_TOKEN} "
            "characters or more, or leave --host out"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
