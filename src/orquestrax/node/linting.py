"""Tells once, as a node begins to serve its definitions, what the linter has found in them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from orquestrax.define.workflow import Workflow

log = logging.getLogger("orquestrax.linter")


def report(workflows: Iterable[Workflow[..., Any]]) -> None:
    """Log a warning for each finding. Never raises: whatever the linter trips over, the node serves."""
    from orquestrax.define.linter import lint  # noqa: PLC0415 - the node is to begin first

    try:
        findings = lint(workflows)
    except Exception:
        log.exception("the linter failed, which changes nothing of what runs")
        return
    for finding in findings:
        log.warning("%s", finding)
    if findings:
        log.warning("what is meant as it stands is silenced by the comment `# ox: allow` on its line")
