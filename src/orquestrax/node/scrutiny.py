"""Whether a process watches its workflows more closely than production needs: in `dev`, in tests, or where asked for.

ORQUESTRAX_GUARD=1    an audit hook refuses what workflow code does to files, sockets, processes and threads
ORQUESTRAX_RECHECK=1  what has ended is replayed once more in a process with another hash seed

0 switches them off. Without a word both are on in `dev` and under pytest.
"""

from __future__ import annotations

import os

_OFF = ("0", "no", "off", "false")


def guard_wanted() -> bool:
    """Whether the audit hook is to be installed."""
    return _wanted("ORQUESTRAX_GUARD")


def recheck_wanted() -> bool:
    """Whether ended instances are to be replayed again."""
    return _wanted("ORQUESTRAX_RECHECK")


def want() -> None:
    """Both, unless the environment says otherwise: for `dev`."""
    for name in ("ORQUESTRAX_GUARD", "ORQUESTRAX_RECHECK"):
        os.environ.setdefault(name, "1")


def _wanted(name: str) -> bool:
    said = os.environ.get(name)
    if said:
        return said.lower() not in _OFF
    return "PYTEST_VERSION" in os.environ or "PYTEST_CURRENT_TEST" in os.environ
