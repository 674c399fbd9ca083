"""`make reliability`: writes docs/reliability.md from the tests' names and the reports of the last runs.

A section whose report is not there stays as it is. Ends with status 1 if a promise has no test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from tests.reliability import crowd, soak
from tests.reliability.bearers import bearers
from tests.reliability.page import FIGURES, NONE, PAGE, Unborne, figures_of, render
from tests.reliability.reports import NoReport

REPORTS: Final[Mapping[str, Callable[[], str]]] = dict(
    zip(FIGURES, (soak.figures, crowd.figures), strict=True)
)


def main() -> int:
    """Write the page; returns the exit status."""
    kept = figures_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    try:
        text = render(bearers(), {title: _told(title, kept) for title in FIGURES})
    except Unborne as error:
        print(error, file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


def _told(title: str, kept: Mapping[str, str]) -> str:
    try:
        return REPORTS[title]()
    except NoReport as error:
        print(f"{error}; “{title}” stays as it is", file=sys.stderr)
        return kept.get(title, NONE)


sys.exit(main())
