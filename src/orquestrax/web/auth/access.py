"""The decision for one request: may it come in?"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

from starlette.requests import Request

from orquestrax.web.auth.sessions import Sessions
from orquestrax.web.auth.throttle import Throttle

SESSION_COOKIE: Final = "orquestrax_session"


class Verdict(Enum):
    """What was found."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    THROTTLED = "throttled"


class Access:
    """Knows the token, and who has shown it. Without a token everybody is known.

    clock  seconds that only rise; for expiry and throttling
    """

    def __init__(self, token: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._digest = None if token is None else _digest(token)
        self._throttle = Throttle(clock)
        self.sessions = Sessions(clock)

    @property
    def required(self) -> bool:
        """Whether one has to log in."""
        return self._digest is not None

    def verdict(self, request: Request) -> Verdict:
        """By the bearer token if one is sent, else by the session."""
        if not self.required:
            return Verdict.KNOWN
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.try_token(request, sent.strip())
        session = request.cookies.get(SESSION_COOKIE)
        return Verdict.KNOWN if session and self.sessions.seen(session) else Verdict.UNKNOWN

    def try_token(self, request: Request, sent: str) -> Verdict:
        """Compare in a time that tells nothing; count what is wrong against the address."""
        address = request.client.host if request.client else ""
        if self._throttle.wait(address):
            return Verdict.THROTTLED
        if self._digest is not None and hmac.compare_digest(_digest(sent), self._digest):
            return Verdict.KNOWN
        self._throttle.fault(address)
        return Verdict.UNKNOWN

    def wait(self, request: Request) -> int:
        """Seconds until the address of this request may try a token again."""
        return self._throttle.wait(request.client.host if request.client else "")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
