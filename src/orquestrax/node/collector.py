"""The garbage collector of a process that is a node.

A node makes very many short-lived objects, nearly all of which go by their reference counts. With CPython's
default the collector looks at the youngest after every 700 of them. Relaxed, three rounds of sequential steps had
a median of 12,350 a second against 11,550, on a noisy machine: a hint, not yet a proof. Only the commands set
this, because the process is theirs; a program that embeds a node may call it too.
"""

from __future__ import annotations

import gc


def relax() -> None:
    """Collect the young every 20,000 allocations, and leave what exists by now, mostly code, out of it for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
