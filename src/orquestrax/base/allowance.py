"""The comment `# ox: allow`, by which a line of workflow code says that it is meant as it stands."""

from __future__ import annotations

import re
from typing import Final

_COMMENT: Final = re.compile(r"#\s*ox:\s*allow\b")


def allows(line: str) -> bool:
    """Whether this line of source says so."""
    return _COMMENT.search(line) is not None
