"""What an instance that came here under suspicion does for its own sake.

Nothing in the database tells a `kill -9` from a body that ended its node, unless it says what ran there. So an instance
that is tried writes down what it waits for, as soon as it has been rebuilt, and before each body that it begins. That
costs a commit for each, and nobody else pays it. What the writes are worth is said in sql/free_instances.sql.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ALONE_FROM: Final = 2  # deaths


@dataclass(slots=True)
class Trial:
    """Of an instance that was running when a node died, until something happens to it.

    alone  it runs as the only suspect of this node: if that dies, it may be convicted
    quiet  its last event that says nothing of what its code did: a takeover, a body that began
    """

    alone: bool
    quiet: int
