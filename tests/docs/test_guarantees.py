"""What docs/guarantees.md leads to is there: pages and their headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LINKS = re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", (DOCS / "guarantees.md").read_text(encoding="utf-8"))


def headings(page: str) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    found = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize(("file", "anchor"), sorted(set(LINKS)))
def test_a_link_leads_somewhere(file: str, anchor: str) -> None:
    page = (DOCS / file).read_text(encoding="utf-8")
    assert not anchor or anchor in headings(page)
