"""`contextlib.suppress`, as Python 3.12 has it: it takes its errors out of a group, as task groups raise them."""

from __future__ import annotations

from typing import Any


def leave(self: Any, _type: Any, error: BaseException | None, _traceback: Any) -> bool:
    """`suppress.__exit__`."""
    suppressed = self._exceptions
    if isinstance(error, suppressed):
        return True
    if isinstance(error, BaseExceptionGroup):
        _, rest = error.split(suppressed)
        if rest is not None:
            raise rest
        return True
    return False
