"""The memory limit of a body in a child: what the process may allocate (RLIMIT_DATA), set for the job alone.

Not RLIMIT_AS, which counts address space that is only reserved, of which libraries with threads take gigabytes; not a
watch on what is resident, which sees a hog too late. Python raises MemoryError at the limit, in the very place.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from orquestrax.base.errors import MemoryLimitExceeded


@contextmanager
def limited(step: str, limit: int | None) -> Iterator[None]:
    """Let the block allocate up to `limit` bytes for the whole process. Raises MemoryLimitExceeded at the limit."""
    if limit is None:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_allowed(limit, before[1]), before[1]))
    try:
        yield
    except MemoryError as error:
        resource.setrlimit(resource.RLIMIT_DATA, before)
        raise MemoryLimitExceeded(
            f"step {step!r} wanted more than {limit / 1_000_000:,.0f} MB of memory (memory={limit})"
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _allowed(limit: int, hard: int) -> int:
    return limit if hard == resource.RLIM_INFINITY else min(limit, hard)
