"""What the rounds came to: a table for people, a document for programs."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass, field
from typing import Any, Final

NONE: Final = "-"  # no such figure


@dataclass
class Contestant:
    """An engine, how to start it, and what its rounds and its use of PostgreSQL came to: figures by workload."""

    name: str
    command: list[str]
    argument: str
    dsn: str
    about: dict[str, Any] = field(default_factory=dict)
    rounds: list[dict[str, dict[str, float]]] = field(default_factory=list)
    costs: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def uses_postgres(self) -> bool:
        """Restate has a store of its own."""
        return self.argument == self.dsn


def _summary(contestant: Contestant) -> dict[str, dict[str, list[float]]]:
    """Minimum, median and maximum of every figure."""
    table: dict[str, dict[str, list[float]]] = {}
    for workload, figures in contestant.rounds[0].items():
        table[workload] = {}
        for figure in figures:
            values = sorted(round_[workload][figure] for round_ in contestant.rounds)
            table[workload][figure] = [values[0], round(statistics.median(values), 4), values[-1]]
    return table


ROWS: Final = (
    ("W1 one-step workflows/s", "W1", "per_second"),
    ("W2 sequential steps/s", "W2", "per_second"),
    ("W3 1,000 parallel steps, s", "W3", "seconds"),
    ("W4 no step, idle, p50 ms", "W4", "p50_ms"),
    ("W4 no step, idle, p99 ms", "W4", "p99_ms"),
    ("W1 cores that others took", "W1", "others_cores"),
    ("W2 cores that others took", "W2", "others_cores"),
    ("W1 commits per workflow", "W1", "commits"),
    ("W1 rows per workflow", "W1", "rows"),
    ("W1 WAL bytes per workflow", "W1", "wal"),
    ("W1 processor ms, engine", "W1", "engine_cpu_ms"),
    ("W1 processor ms, PostgreSQL", "W1", "postgres_cpu_ms"),
    ("W2 commits per step", "W2", "commits"),
    ("W2 rows per step", "W2", "rows"),
    ("W2 WAL bytes per step", "W2", "wal"),
    ("W2 processor ms, engine", "W2", "engine_cpu_ms"),
    ("W2 processor ms, PostgreSQL", "W2", "postgres_cpu_ms"),
)


def print_table(contestants: list[Contestant], server: str, rounds: int, in_flight: int) -> None:
    """Medians with least and most of the rounds, then what each engine's costs in PostgreSQL are."""
    print(
        f"Python {platform.python_version()}, PostgreSQL {server}, {os.cpu_count()} cores, {rounds} rounds, ",
        end="",
    )
    print(f"{in_flight} in flight, medians (least to most)")
    summaries = {each.name: _summary(each) for each in contestants}
    print(f"{'':28}" + "".join(f"{name:>26}" for name in summaries))
    for title, workload, figure in ROWS:
        cells = [_cell(each, summaries[each.name], workload, figure) for each in contestants]
        print(f"{title:28}" + "".join(f"{cell:>26}" for cell in cells))
    for each in contestants:
        versions = ", ".join(f"{name} {number}" for name, number in each.about["versions"].items())
        print(f"{each.name}: {versions}; {each.about['settings']}")


def _cell(
    contestant: Contestant, summary: dict[str, dict[str, list[float]]], workload: str, figure: str
) -> str:
    if figure in ("commits", "rows", "wal"):
        cost = contestant.costs.get(workload)
        return _short(cost[figure]) if cost else NONE
    if workload not in summary or (figure == "postgres_cpu_ms" and not contestant.uses_postgres):
        return NONE
    low, middle, high = (_short(value) for value in summary[workload][figure])
    return f"{middle} ({low} to {high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def document(contestants: list[Contestant], server: str, rounds: int, in_flight: int) -> dict[str, Any]:
    """The same, complete."""
    return {
        "python": platform.python_version(),
        "postgresql": server,
        "cores": os.cpu_count(),
        "rounds": rounds,
        "in_flight": in_flight,
        "engines": {
            each.name: {**each.about, "results": _summary(each), "costs": each.costs} for each in contestants
        },
    }
