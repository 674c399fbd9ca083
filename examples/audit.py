"""Every installed distribution against the hashes in its RECORD, one step each, in processes of their own.

    python examples/audit.py                     # the environment that runs this
    python examples/audit.py path/to/venv        # another one; Ctrl-C, run it again, and it goes on
    orquestrax dev examples/audit.py             # by hand: start `audit`, send `approval` from the dashboard

Modified, missing and unlisted files are flagged and licences collected. Only when something is flagged does the
audit wait for somebody's decision. The report is audit-report/audit.html, and audit.json for programs.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from auditing.checking import check_distribution
from auditing.environment import distributions
from auditing.model import Checked, Decision, Place, Stray, Verdict
from auditing.report import write_report
from auditing.strays import find_strays

import orquestrax as ox


@ox.step
def survey(sites: list[str]) -> list[Place]:
    """What is installed."""
    return [place for site in sites for place in distributions(Path(site))]


@ox.step(executor="process", timeout=600, retry=ox.Retry(attempts=3))
def check(place: Place) -> Checked:
    """Hash the files of one distribution: work for a processor, so it gets a process."""
    return check_distribution(place)


@ox.step(executor="process", timeout=600, retry=ox.Retry(attempts=3))
def unlisted(places: list[Place]) -> list[Stray]:
    """Files that no RECORD lists."""
    return find_strays(places)


@ox.step(retry=ox.Retry(attempts=3))
def report(
    folder: str,
    environment: str,
    at: datetime,
    checked: list[Checked],
    strays: list[Stray],
    decision: Decision | None,
) -> list[str]:
    """Write the report; writing it twice leaves the same."""
    return write_report(Path(folder), environment, at, checked, strays, decision)


@ox.workflow
async def audit(sites: list[str], folder: str) -> Verdict:
    """Verify what is installed in these folders; the report goes to another."""
    began = ox.now()
    places = await survey(sites)
    every = asyncio.gather(*(check(place) for place in places))
    checked, strays = await asyncio.gather(every, unlisted(places))
    flagged = [each.name for each in checked if each.flagged]
    decision = None
    if flagged or strays:
        decision = await ox.receive("approval", Decision)
    environment = ", ".join(sites)
    written = await report(folder, environment, began, checked, strays, decision)
    verified = sum(each.verified for each in checked)
    return Verdict(environment, len(checked), verified, flagged, len(strays), decision, written)


if __name__ == "__main__":
    from auditing.program import main

    sys.exit(main(sys.modules[__name__]))
