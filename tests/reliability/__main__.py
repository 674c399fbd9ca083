"""`make reliability`: writes docs/reliability.md from the tests' names and the report of the last `make soak`.

Without a report the figures of the page stay as they are. Ends with status 1 if a promise has no test.
"""

from __future__ import annotations

import sys

from tests.reliability.bearers import bearers
from tests.reliability.page import PAGE, Unborne, figures_of, render
from tests.reliability.soak import REPORT, NoReport, figures


def main() -> int:
    """Write the page; returns the exit status."""
    try:
        told = figures(REPORT)
    except NoReport as error:
        print(f"{error}; the figures of the page stay as they are", file=sys.stderr)
        told = figures_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else "There was none yet."
    try:
        text = render(bearers(), told)
    except Unborne as error:
        print(error, file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


sys.exit(main())
