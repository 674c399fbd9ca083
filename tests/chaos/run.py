"""A run: the plan carried out, then calm, then the verdict."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
import uvloop

from tests.chaos import clock, network
from tests.chaos.cluster import HEARTBEAT, LEASE, POLL, Cluster, running
from tests.chaos.faults import FAULTS
from tests.chaos.faults.fault import Fault
from tests.chaos.load import Load
from tests.chaos.operations import Operations
from tests.chaos.plan import ALONE, MIX, SCENARIOS, Plan, Strike, plan_of
from tests.chaos.report import Report, Violation
from tests.chaos.verdict import judge
from tests.chaos.verdict.evidence import Evidence, Window, gather

CLIENTS: Final = 64
HEALED: Final = 60.0  # seconds in which everything must heal, plus the work
UNENDED: Final = "select id, status from {schema}.instances where ended_at is null"
PROJECT: Final = Path(__file__).parents[2]


@dataclass
class Run:
    """`windows` are the times during which something was at work."""

    plan: Plan
    cluster: Cluster
    load: Load
    report: Report
    windows: list[Window] = field(default_factory=list)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def carry_out(self) -> None:
        """Load and faults, until all faults are over and the time is up; then whatever is under way ends."""
        keeper = asyncio.create_task(self.cluster.keep())
        began = time.monotonic()
        self.load.begin()
        async with asyncio.TaskGroup() as group:
            for strike in self.plan.strikes:
                group.create_task(self._strike(strike, began))
            await asyncio.sleep(self.plan.minutes * 60)
        await self._heal()
        if not await self.cluster.serving(*self.cluster.nodes):
            self._complain("I23", "", "not every node serves again")
        keeper.cancel()
        for node in self.cluster.nodes:
            node.away = True
        statuses = await asyncio.gather(*(self.cluster.drain(node) for node in self.cluster.nodes))
        for node, status in zip(self.cluster.nodes, statuses, strict=True):
            if status:
                self._complain("I23", "", f"node {node.number} ended with status {status} when told to end")

    async def _strike(self, strike: Strike, began: float) -> None:
        await asyncio.sleep(began + strike.at - time.monotonic())
        fault: Fault = FAULTS[strike.kind](self.cluster, self.load, strike)
        async with self.alone:  # to find a culprit may take longer than was planned
            if strike.kind in ALONE:
                await self._let_loose(fault, strike)
                return
        await self._let_loose(fault, strike)

    async def _let_loose(self, fault: Fault, strike: Strike) -> None:
        if not await fault.ready():
            return
        window = Window(strike.kind, time.monotonic(), float("inf"))
        self.windows.append(window)
        await fault.begin()
        waiting = asyncio.create_task(fault.over.wait())
        await asyncio.wait([waiting], timeout=strike.seconds)
        waiting.cancel()
        await fault.heal()
        window.ended = time.monotonic()
        window.hit |= fault.hit
        self.report.faults[strike.kind] = self.report.faults.get(strike.kind, 0) + fault.times
        for complaint in fault.complaints:
            self._complain("I18" if strike.kind == "poison" else "I23", "", complaint)

    async def _heal(self) -> None:
        """I23: clients hear their answers, and everything ends, without help."""
        calm = time.monotonic()  # all faults are over, and the load ends
        try:
            async with asyncio.timeout(2 * HEALED):
                await self.load.stop()
                while await self.cluster.rows(UNENDED):
                    await asyncio.sleep(0.3)
        except TimeoutError:
            self.load.abandon()
            for row in await self.cluster.rows(UNENDED):
                self._complain(
                    "I23", row["id"], f"it is {row['status']} {2 * HEALED:.0f} s after the last fault"
                )
        self.report.healed = round(time.monotonic() - calm, 1)

    def _complain(self, promise: str, instance: str, text: str) -> None:
        self.report.violations.append(Violation(promise=promise, instance=instance, text=text))


def chaos(scenario: str, seed: int, minutes: float, folder: Path) -> tuple[Report, Evidence]:
    """Carry out the plan of a seed in an empty folder; returns what it came to, and what that was judged by."""
    report, evidence = uvloop.run(_chaos(scenario, seed, minutes, folder))
    judge(evidence, report)  # which runs workflow code: not within a loop
    return report, evidence


async def _chaos(scenario: str, seed: int, minutes: float, folder: Path) -> tuple[Report, Evidence]:
    began = time.monotonic()
    lacks = {"partition": network.missing(), "clocks": clock.missing()}
    without = frozenset(kind for kind, why in lacks.items() if why)
    plan = plan_of(scenario, seed, minutes, without)
    kinds = set(SCENARIOS[scenario]) if scenario != MIX else set(FAULTS)
    report = new_report(plan, skipped=[lacks[kind] for kind in sorted(kinds & without)])
    library = None if "clocks" in without else clock.build(folder)
    operations = Operations(folder / "operations.jsonl")
    async with running(folder, [*plan.homes], networks="partition" not in without, clock=library) as cluster:
        load = Load(cluster.client, operations, seed, CLIENTS)
        run = Run(plan, cluster, load, report)
        await run.carry_out()
        operations.close()
        evidence = await gather(cluster, load, run.windows)
        report.drains = report.drains.of(cluster.drains)
    report.seconds = round(time.monotonic() - began, 1)
    return report, evidence


def new_report(plan: Plan, *, skipped: list[str]) -> Report:
    """Of a run that begins now."""
    return Report(
        scenario=plan.scenario, seed=plan.seed, minutes=plan.minutes, nodes=len(plan.homes),
        command=command(plan.scenario, plan.seed, plan.minutes), commit=_commit(), skipped=skipped,
        began_at=datetime.now(UTC).isoformat(timespec="seconds"), lease=LEASE, heartbeat=HEARTBEAT, poll=POLL,
    )  # fmt: skip


def command(scenario: str, seed: int, minutes: float) -> str:
    """What repeats a plan."""
    return f"python -m tests.chaos {scenario} --seed {seed} --minutes {minutes:g}"


def fresh_folder() -> Path:
    """For the files of a run, where PostgreSQL's user may go, too. Those of runs that are over are removed."""
    for old in Path(tempfile.gettempdir()).glob("orquestrax-chaos-*"):
        if not psutil.pid_exists(int(old.name.rpartition("-")[2])):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.gettempdir()) / f"orquestrax-chaos-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    return folder


def _commit() -> str:
    git = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
    return subprocess.run(git, check=False, capture_output=True, text=True).stdout.strip()
