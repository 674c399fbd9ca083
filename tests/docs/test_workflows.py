"""What docs/workflows.md says works, works; what it says is refused, is, with what it says to use."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.replay import constructs, programs
from tests.unit.replay.kit import Host, close_all

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.define.modules import load_modules

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WORKS, REFUSED = [
    [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
]
CALLS = [(call, instead) for calls, instead in REFUSED for call in re.findall(r"`(.*?)`", calls)]


async def test_the_code_of_the_page_runs(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "links.py").write_text(CODE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path / "home"))
    (links,) = load_modules(["links.py"])
    await migrate(Address(dsn=dsn, schema="workflowdocs"))
    async with ox.node([links], database=dsn, namespace="workflowdocs") as client:
        run = await client.start(links.dead_links, 4)
        assert await run.result(20) == ["0.1", "1.1", "2.1", "3.1"]


def test_what_works_is_what_random_programs_are_made_of() -> None:
    made_of = "\n".join([*constructs.BODIES.values(), *programs.SHARED.values()])
    named = {name for _, what in WORKS[:7] for name in re.findall(r"`(?:\w+\.)?(\w+)[^`]*`", what)}
    assert len(named) > 30
    assert [name for name in named if not re.search(rf"\b{name}\b", made_of)] == []


@pytest.mark.parametrize(("call", "instead"), CALLS, ids=[call for call, _ in CALLS])
def test_what_is_refused(call: str, instead: str) -> None:
    async def main() -> None:
        names = {"asyncio": asyncio, "concurrent": concurrent, "loop": asyncio.get_running_loop()}
        outcome: Any = eval(call, names)
        if inspect.isawaitable(outcome):
            await outcome

    error, message = Host(main).error
    close_all()
    assert error == "ForbiddenInWorkflow"
    assert re.fullmatch(r"[^:]+ does not work in a workflow: [^:]+", message)
    expected = {"a": "step", "`await`": "await", "`ox.receive`": "orquestrax.receive"}[
        re.split("[ :]", instead)[0]
    ]
    assert expected in message
