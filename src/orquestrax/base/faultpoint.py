"""Marks of the durable boundaries, so that tests can stop a node exactly there.

`reach("journal.before_commit")` costs one test of a global when nothing is armed. Names are `<room>.<moment>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_armed: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Tell an armed test that this boundary has been reached; it may raise."""
    if _armed is not None:
        _armed(name)


@contextmanager
def armed(handler: Callable[[str], None]) -> Iterator[None]:
    """Call `handler(name)` at every boundary while the block runs."""
    global _armed  # noqa: PLW0603 - one process, one armed test
    _armed = handler
    try:
        yield
    finally:
        _armed = None
