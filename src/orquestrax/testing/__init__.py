"""For tests of workflows: `import orquestrax.testing`, or `ox.testing` at first use.

determinism  histories replayed, here and in processes with other hash seeds
"""

from __future__ import annotations

from orquestrax.define.rehearsal import History
from orquestrax.testing.determinism import assert_deterministic, history, replay

__all__ = ["History", "assert_deterministic", "history", "replay"]
