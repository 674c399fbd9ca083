"""What programs are made of: the body of one function for each construct of asyncio.

`{n}` is the function's number, `{s}` its duration in seconds, used once at most; `{u}` and `{w}` are small numbers.
`{all}` names its children, `{first}` and `{rest}` part of them, `{runs}` are calls of `run`. What else is called
stands in `running`. Nothing here may hang on the order of a set or on the garbage collector, which differ by loop.
"""

from __future__ import annotations

import sys
from typing import Final

from tests.unit.replay.containers import CONTAINERS, SINCE_3_12, SINCE_3_13
from tests.unit.replay.leaves import LEAVES, LEAVES_SINCE_3_13

BODIES: Final = {**LEAVES, **CONTAINERS, **SINCE_3_12, **SINCE_3_13, **LEAVES_SINCE_3_13}
ROOTS: Final = ("gather_all", "sequence")
_OFTEN: Final = ("step",) * 12 + ("sleep", "receive", "timer") * 4  # or little ever happens


def kinds(*, containers: bool, version: tuple[int, int] = sys.version_info[:2]) -> list[str]:
    """The constructs that this version of Python has; those come several times that are to be drawn more often."""
    newer = version >= (3, 13)
    if not containers:
        return [*_OFTEN, *LEAVES, *(LEAVES_SINCE_3_13 if newer else ())]
    return [*CONTAINERS, *(SINCE_3_12 if version >= (3, 12) else ()), *(SINCE_3_13 if newer else ())]
