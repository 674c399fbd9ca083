"""What docs/steps.md shows runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.define.modules import load_modules

TEXT = (Path(__file__).parents[2] / "docs" / "steps.md").read_text(encoding="utf-8")


async def test_the_step_in_a_process_runs(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "words.py").write_text(block, encoding="utf-8")
    files = [tmp_path / name for name in ("a.txt", "b.txt")]
    for file in files:
        file.write_text("one two\nthree\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path / "home"))
    (words,) = load_modules(["words.py"])
    try:
        await migrate(Address(dsn=dsn, schema="docs_steps"))
        async with ox.node([words], database=dsn, namespace="docs_steps") as client:
            run = await client.start(words.count_all, [str(file) for file in files])
            assert await run.result(30) == 6
    finally:
        del sys.modules[words.__name__]
