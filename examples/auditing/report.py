"""The report: JSON for programs, one HTML file for people, which needs nothing else."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from auditing.model import Checked, Decision, Stray

TEMPLATE: Final = Path(__file__).with_name("template.html")
_UNITS: Final = ("bytes", "kB", "MB", "GB")


def write_report(
    folder: Path,
    environment: str,
    at: datetime,
    checked: Sequence[Checked],
    strays: Sequence[Stray],
    decision: Decision | None,
) -> list[str]:
    """Write audit.json and audit.html, each whole or not at all; returns their paths. Raises OSError."""
    content = {
        "environment": environment,
        "at": at.isoformat(timespec="seconds"),
        "decision": None if decision is None else asdict(decision),
        "totals": _totals(checked, strays),
        "licences": dict(Counter(each.licence.name for each in checked).most_common()),
        "distributions": [asdict(each) | {"flagged": each.flagged} for each in checked],
        "unlisted": [asdict(stray) for stray in strays],
    }
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _written(folder / "audit.json", json.dumps(content, indent=2, ensure_ascii=False)),
        _written(folder / "audit.html", _page(content)),
    ]


def _totals(checked: Sequence[Checked], strays: Sequence[Stray]) -> dict[str, int]:
    return {
        "distributions": len(checked),
        "flagged": sum(each.flagged for each in checked),
        "verified": sum(each.verified for each in checked),
        "bytes": sum(each.size for each in checked),
        "modified": sum(len(each.modified) for each in checked),
        "missing": sum(len(each.missing) for each in checked),
        "unlisted": len(strays),
        "unverifiable": sum(each.kind in ("egg", "no RECORD") for each in checked),
    }


def _page(content: dict[str, Any]) -> str:
    # autoescape: names and paths are other people's
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["size"] = _size
    return environment.get_template(TEMPLATE.name).render(**content)


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def _written(path: Path, text: str) -> str:
    """Written beside it and renamed: a report that is there is complete."""
    part = path.with_suffix(f"{path.suffix}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return str(path)
