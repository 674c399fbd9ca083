"""What docs/determinism.md shows runs as it says, warnings to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.define import linter
from orquestrax.define.catalogue import collect
from orquestrax.define.modules import load_modules
from orquestrax.node.holding import Holder

PAGE = (Path(__file__).parents[2] / "docs" / "determinism.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TEXT = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_linter_says_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "refunds.py").write_text(CODE[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    workflows = collect(load_modules(["refunds.py"])).workflows
    assert [str(finding) for finding in linter.lint(workflows.values())] == TEXT[0].splitlines()


async def test_the_test_of_the_page_passes(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "greetings.py").write_text(CODE[1], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path / "home"))
    (module,) = load_modules(["greetings.py"])
    await migrate(Address(dsn=dsn, schema="determinism"))
    async with ox.node([module], database=dsn, namespace="determinism") as client:
        await module.test_greet_all(client)
        history = await ox.testing.history(client, (await client.list())[0].id)
    ox.testing.replay(module.greet_all, ox.testing.History.from_json(history.to_json()))


def test_the_watchdog_says_what_the_page_says() -> None:
    advice = "what blocks belongs in a plain `def` step, which runs in a thread"
    found = Holder("step fetch of instance order-42", " at shop.py:31 (`time.sleep(60)`)", advice)
    assert TEXT[1].strip() == f"the event loop has not turned for 5 s: {found}"
