"""The audit over three nodes, one of which is killed in the middle: the same report, byte for byte but for the time."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest
from auditing.model import Decision

import orquestrax as ox
from orquestrax.define.modules import load_modules
from tests.checker import check_instance
from tests.examples.conftest import EXAMPLES
from tests.examples.venvs import Venv
from tests.faults.cluster import PATIENCE, Cluster, Member, cluster

DISTRIBUTIONS = 36
LARGE = 24 << 20  # bytes of one file in each: hashing it takes long enough for a kill in the middle
NODES = 3
TRIES = 4
PROGRAM = EXAMPLES / "audit.py"
FLAGS = ("--roles", "engine,worker", "--processes", "1")


def environment(folder: Path) -> Venv:
    """Many distributions with the same large file, a modified one, and a stray."""
    made = Venv(folder / "venv")
    large = os.urandom(LARGE)
    for n in range(DISTRIBUTIONS):
        made.wheel(f"part{n:02}", {f"part{n:02}/data.bin": large, f"part{n:02}/__init__.py": b""})
    (made.site / "part07" / "__init__.py").write_bytes(b"x = 1\n")
    (made.site / "stray.py").write_bytes(b"")
    return made


async def checked_by(run: ox.Run[object]) -> list[str]:
    """The node that ran each check so far."""
    ended = [event.data for event in await run.history() if event.type == "step_completed"]
    return [data["node"] for data in ended if data["step"] == "check"]


async def until_checked(run: ox.Run[object], count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(await checked_by(run)) < count:
            await asyncio.sleep(0.05)


async def the_owner(nodes: Cluster, run: ox.Run[object]) -> Member:
    owner = (await nodes.client.view(run.id)).owner
    return next(member for member in nodes.members if member.fence == owner)


def report(folder: Path) -> bytes:
    """The JSON of a report without the moment when it began."""
    written, times = re.subn(rb'"at": "[^"]+"', b'"at": ""', (folder / "audit.json").read_bytes())
    assert times == 1
    return written


@pytest.mark.verify
@pytest.mark.timeout(300)
async def test_I7_I8_the_audit_over_three_nodes_one_killed_in_the_middle_comes_to_the_same_report(
    tmp_path: Path, dsn: str, record_property
) -> None:
    site = str(environment(tmp_path).site)
    (module,) = load_modules([str(PROGRAM)])
    audit, decision = module.audit, Decision(accepted=True, by="Ada")
    async with cluster(tmp_path, dsn, "audits", "") as (nodes, _):
        for n in range(NODES):
            await nodes.start(f"home{n}", module=str(PROGRAM), roles=FLAGS)
        spread = list[str]()
        for attempt in range(TRIES):  # on a busy machine one node may be done before another has a process
            whole = await nodes.client.start(audit, [site], str(tmp_path / "whole"), id=f"whole-{attempt}")
            await whole.signal("approval", decision)
            await whole.result(PATIENCE)
            spread = await checked_by(whole)
            if len(set(spread)) == NODES:
                break
        assert len(set(spread)) == NODES, "each node checked some"

        struck = await nodes.client.start(audit, [site], str(tmp_path / "struck"), id="struck")
        await struck.signal("approval", decision)
        await until_checked(struck, DISTRIBUTIONS // 3)
        victim = await the_owner(nodes, struck)
        victim.kill()
        before = len(await checked_by(struck))
        assert before < DISTRIBUTIONS, "it was in the middle"
        verdict = await struck.result(PATIENCE)
        history = await check_instance(nodes.client, audit, "struck")
    assert [event.type for event in history].count("taken_over") == 1
    assert (verdict.flagged, verdict.strays) == (["part07"], 1)
    assert report(tmp_path / "struck") == report(tmp_path / "whole")
    shares = sorted((spread.count(node) for node in set(spread)), reverse=True)
    record_property(
        "table",
        f"audit over {NODES} nodes: checks by node {shares}; killed after {before} of {DISTRIBUTIONS}, same report",
    )
