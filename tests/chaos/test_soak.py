"""Three minutes of everything at once; and a whole run that was tampered with afterwards, to see that it shows."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.cluster import running
from tests.chaos.load import Load
from tests.chaos.operations import Operations
from tests.chaos.plan import MIX, plan_of
from tests.chaos.report import Report
from tests.chaos.run import Run, chaos, command, new_report
from tests.chaos.verdict import judge
from tests.chaos.verdict.evidence import Evidence, gather

SEED = int(os.environ.get("SEED", "1"))
MINUTES = 3.0
TAMPERED = {
    "I1": "delete from {schema}.instances where key = (select min(key::text)::uuid from {schema}.instances)",
    "I3": "delete from {schema}.events where seq = 1 and instance = "
    "(select max(instance::text)::uuid from {schema}.events where type = 'completed')",
    "I4": "update {schema}.nodes set status = 'dead', cause = 'silent', ended_at = started_at "
    "where fence = (select min(fence) from chaos_writes)",
    "I9": "insert into chaos_bookings select token from chaos_bookings",
    "I10": "update {schema}.events set data = replace(data::text, 'letters-', 'others-')::json "
    "where type = 'signal_received'",
}
"""By the promise that it breaks: what nobody but a broken engine would do to the database."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the user of PostgreSQL may go, too."""
    made = Path(tempfile.mkdtemp(prefix="ox-chaos-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.verify
@pytest.mark.timeout(900)
def test_I1_to_I23_hold_while_everything_strikes(folder: Path, record_property) -> None:
    report, _evidence = chaos(MIX, SEED, MINUTES, folder)
    lines = [*report.lines()]
    record_property("table", "\n".join(lines))
    assert not report.violations, "\n".join([*lines, f"again: {command(MIX, SEED, MINUTES)}"])
    assert len(report.faults) >= 5, report.faults
    assert not (report.skipped and os.environ.get("CI")), report.skipped


@pytest.mark.verify
@pytest.mark.timeout(300)
def test_what_is_tampered_with_in_the_database_is_reported(folder: Path) -> None:
    """First nothing: without any fault every body runs once. Then one thing after the other."""
    found = asyncio.run(_tamper(folder))
    sound = _judged(found.pop("nothing"))
    assert sound.violations == []
    assert set(sound.extra) <= {"retry"}, "without a fault nothing else is a cause"
    assert (sound.operations.failed < sound.operations.ok, sound.operations.unknown) == (True, 0)
    for promise, evidence in found.items():
        assert promise in {violation.promise for violation in _judged(evidence).violations}, promise


async def _tamper(folder: Path) -> dict[str, Evidence]:
    """What there was before anything was tampered with, and after each time."""
    operations = Operations(folder / "operations.jsonl")
    async with running(folder, ["one", "one", "two"], networks=False, clock=None) as cluster:
        load = Load(cluster.client, operations, SEED, clients=16)
        await Run(plan_of("killed", SEED, 0.1), cluster, load, _report()).carry_out()
        operations.close()
        found = {"nothing": await gather(cluster, load, [])}
        for promise, statement in TAMPERED.items():
            await cluster.rows(statement)
            found[promise] = await gather(cluster, load, [])
    return found


def _judged(evidence: Evidence) -> Report:
    report = _report()
    judge(evidence, report)
    return report


def _report() -> Report:
    return new_report(plan_of("killed", SEED, 0.1), skipped=[])
