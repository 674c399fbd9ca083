"""A page that stays open while its server is killed and comes back; and how streams end at a stop."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from playwright.async_api import expect

from orquestrax.node import Node
from orquestrax.settings import Settings
from tests.e2e.flows import counting
from tests.e2e.support import SERVED, Site, free_port
from tests.e2e.test_live import never_reloaded

ROOT = Path(__file__).parent.parent.parent


async def serve(dsn: str, home: Path, port: int) -> asyncio.subprocess.Process:
    """A server in a process of its own, ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.serve", dsn, "e2e_restart", str(home), str(port),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert (await asyncio.wait_for(process.stdout.readline(), 30)).strip() == b"ready"
    return process


async def test_a_page_survives_kill_9_of_its_server(open_page, dsn: str, tmp_path: Path) -> None:
    port = free_port()
    process = await serve(dsn, tmp_path / "a", port)
    settings = Settings(database=dsn, namespace="e2e_restart", home=tmp_path / "b", project=tmp_path)
    elsewhere = Node(settings, SERVED, roles=["client"])
    client = await elsewhere.start()
    try:
        run = await client.start(counting, id="survivor")
        refused = (
            "ERR_CONNECTION_REFUSED",
            "ERR_INCOMPLETE_CHUNKED_ENCODING",
            "ERR_CONNECTION_RESET",
            "ERR_EMPTY_RESPONSE",
        )
        page = await open_page(f"http://127.0.0.1:{port}/workflows/survivor", expects=refused)
        await expect(page.locator("#status")).to_have_text("waiting")
        process.kill()
        await process.wait()
        await expect(page.locator("#live")).to_have_text("reconnecting…")
        await run.signal("number", 5)
        process = await serve(dsn, tmp_path / "a", port)
        await expect(page.locator("#live")).to_have_text("live")
        await expect(page.locator("#events")).to_contain_text("signal number: 5")
        await run.signal("number", 0)
        await expect(page.locator("#status")).to_have_text("completed")
        assert await never_reloaded(page)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await elsewhere.stop()


async def test_a_stop_closes_streams_at_once(open_page, dsn: str, tmp_path: Path) -> None:
    async with Site(dsn, "e2e_stop", tmp_path, roles="web") as site:
        page = await open_page(site.url, expects=("ERR_",))
        await expect(page.locator("#live")).to_have_text("live")
        began = time.monotonic()
        await site.server.stop()
        assert time.monotonic() - began < 1.5
        await expect(page.locator("#live")).to_have_text("reconnecting…")
