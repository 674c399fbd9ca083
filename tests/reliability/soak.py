"""The last full run as text, from the report that `make soak` leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.chaos.report import FOLDER, Report, Spread, read_report
from tests.reliability.reports import read

REPORT: Final = FOLDER / "soak.json"
AGAIN: Final = "make soak MINUTES=60"
OPERATIONS: Final = 200_000  # of a full run
FAULTS: Final = 50


def figures(path: Path = REPORT) -> str:
    """The section of the page. Raises NoReport."""
    report = read(path, read_report, again=AGAIN)
    lines = [
        *_head(report),
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {told} |" for name, told in _rows(report)),
    ]
    return "\n".join([*lines, *_broken(report), *_not_done(report)])


def _head(report: Report) -> Iterator[str]:
    yield (
        f"`{report.command}`, {report.began_at[:10]}, commit `{report.commit[:9]}`: "
        f"{report.nodes} nodes as real processes, {report.minutes:g} minutes of load, "
        f"{report.seconds / 60:.0f} minutes in all, seed {report.seed}; lease {report.lease:g} s, "
        f"heartbeat {report.heartbeat:g} s, poll {report.poll:g} s."
    )
    short = []
    if report.operations.total < OPERATIONS:
        short.append(f"{OPERATIONS:,} operations")
    if sum(report.faults.values()) < FAULTS:
        short.append(f"{FAULTS} faults")
    if short:
        yield f"\n**This was not a full run**, which has at least {' and '.join(short)}."


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    done = report.operations
    yield (
        "operations of clients",
        f"{done.total:,}: {done.ok:,} ok, {done.failed:,} failed, {done.unknown:,} unknown",
    )
    for kind, each in sorted(report.by_kind.items()):
        yield f"· {kind}", f"{each.ok:,} ok, {each.failed:,} failed, {each.unknown:,} unknown"
    yield "**violations of a promise**", f"**{len(report.violations)}**"
    yield f"faults ({sum(report.faults.values())})", _counts(report.faults)
    yield "instances", _counts(report.instances)
    yield "bodies of steps", f"{report.bodies:,}"
    yield "bodies that ran again, by recorded cause", _counts(report.extra)
    yield "nodes declared dead", _counts(report.deaths)
    for cause, spread in sorted(report.takeovers.items()):
        yield f"takeover, noticed as {cause}", _spread(spread)
    yield "timers late, away from faults", _spread(report.timers)
    yield "timers late, where a fault was at work", _spread(report.timers_struck)
    yield (
        "longest gap between two successes",
        f"{report.gap:.1f} s ({', '.join(report.gap_in) or 'no fault'})",
    )
    yield "everything at rest after the last fault and the load", f"{report.healed:.1f} s"
    yield "drain, from SIGTERM to the end", _spread(report.drains)


def _broken(report: Report) -> Iterator[str]:
    """What was violated, so that nobody has to look for it."""
    if report.violations:
        yield "\nViolations:\n"
    yield from (f"- {each.promise} {each.instance}: {each.text}" for each in report.violations[:20])


def _not_done(report: Report) -> Iterator[str]:
    if report.skipped:
        yield f"\nNot done on that machine: {'; '.join(report.skipped)}."


def _spread(spread: Spread) -> str:
    if not spread.n:
        return "none"
    return f"p50 {spread.p50:.2f} s, p95 {spread.p95:.2f} s, max {spread.max:.2f} s ({spread.n:,})"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items())) or "none"
