"""The run of ten nodes that have too little of the processor, as text."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from bench.crowd import REPORT

from tests.reliability.reports import read

AGAIN: Final = "python -m bench.crowd"


class Gaps(msgspec.Struct, kw_only=True):
    """Seconds between two heartbeats of a node."""

    beats: int
    p50: float
    p99: float
    longest: float


class Crowd(msgspec.Struct, kw_only=True):
    """One run; `processor` is how busy the machine was, in percent."""

    at: str
    nodes: int
    minutes: float
    processor: int
    workflows: int
    deaths: int
    incarnations: int
    gaps: Gaps


def figures(path: Path = REPORT) -> str:
    """The section of the page. Raises NoReport."""
    run = read(path, lambda file: msgspec.json.decode(file.read_bytes(), type=Crowd), again=AGAIN)
    gaps = run.gaps
    return (
        f"`{AGAIN}`, {run.at}: {run.nodes} nodes for {run.minutes:g} minutes on one machine, its processors "
        f"{run.processor} % busy.\n\n"
        "| | |\n|---|---|\n"
        f"| **nodes declared dead, or that gave themselves up** | **{run.deaths}** |\n"
        f"| heartbeats | {gaps.beats:,}, one each 2 s and node |\n"
        f"| between two of a node; the lease is 10 s | p50 {gaps.p50:.2f} s, p99 {gaps.p99:.2f} s, "
        f"max {gaps.longest:.2f} s |\n"
        f"| workflows that ended meanwhile | {run.workflows:,} |"
    )
