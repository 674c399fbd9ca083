"""The embedded server under a client: started, migrated, and brought back when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.core.store.embedded.postmaster import running


@ox.workflow
async def wait_for_word() -> str:
    word: str = await ox.receive("word", str)
    return word


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ox-") as home:
        Path(home).chmod(0o755)
        for name in ("ORQUESTRAX_DATABASE_URL", "DATABASE_URL", "ORQUESTRAX_NAMESPACE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("ORQUESTRAX_HOME", home)
        monkeypatch.chdir(tmp_path)
        yield Path(home)


@pytest.mark.verify
async def test_survives_the_death_of_its_server(home: Path) -> None:
    data = (home / "postgres" / "data").resolve()
    async with ox.node(workflows=[wait_for_word]) as client:
        run = await client.start(wait_for_word, id="w")
        first = running(data)
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while (second := running(data)) is None or second.pid == first.pid or second.status != "ready":
                await asyncio.sleep(0.05)
            await send(run, "hello")
            assert await run.result() == "hello"
    assert running(data) is None


async def send(run: ox.Run[str], word: str) -> None:
    """As often as it takes: the same message twice does no harm."""
    while True:
        try:
            await run.signal("word", word, message_id="one")
        except ox.DatabaseUnreachable:
            await asyncio.sleep(0.1)
        else:
            return
