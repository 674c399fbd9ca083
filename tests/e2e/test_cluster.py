"""The Cluster page while nodes die: `orquestrax dev --nodes 3`, as people start it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from playwright.async_api import expect

from tests.e2e.support import free_port
from tests.e2e.test_live import never_reloaded
from tests.e2e.test_looks import SIDEWAYS, SMALL

STAMPS = "".join(hashlib.sha256(f"parcel {number}".encode()).hexdigest() for number in range(200))
RESULT = f"200 parcels, seal {hashlib.sha256(STAMPS.encode()).hexdigest()[:12]}"


@asynccontextmanager
async def development(
    dsn: str, home: Path, *, nodes: int, namespace: str = "e2e_cluster"
) -> AsyncIterator[str]:
    """`orquestrax dev` in a schema of its own, until the end of the block; the address of its dashboard."""
    port = free_port()
    (home / "empty.py").write_text("")
    dev = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "orquestrax", "dev", "empty.py", "--nodes", str(nodes), "--port", str(port),
        "--database", dsn, "--namespace", namespace, "--yes",
        cwd=home, env={**os.environ, "ORQUESTRAX_HOME": str(home)}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert dev.stderr is not None
    said = []
    try:
        while not (line := (await dev.stderr.readline()).decode()).startswith("serving: "):
            said.append(line)
            assert line, said
        rest = asyncio.create_task(dev.stderr.read())  # or it would wait for a reader one day
        yield f"http://127.0.0.1:{port}"
        dev.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(dev.wait(), 30) == 0, await rest
    finally:
        if dev.returncode is None:
            dev.kill()
            await dev.wait()


@pytest.mark.verify
async def test_a_node_dies_in_the_middle_of_a_fan_out(open_page, dsn: str, tmp_path: Path) -> None:
    """The button kills it; the page says who declared it dead, who took over and when; the result is the same."""
    async with development(dsn, tmp_path, nodes=3) as url:
        page = await open_page(f"{url}/nodes")
        cards, spread = page.locator(".card"), page.locator("#cluster-spread")
        await expect(cards).to_have_count(3)
        await page.click("#fan-out")
        await expect(spread.locator(".share").first).to_be_attached(timeout=30_000)
        assert int(await page.locator(".spread-done b").inner_text()) < 200
        owner = await spread.locator(".panel-head .dim .mono").inner_text()
        doomed = page.locator(".card", has=page.get_by_role("heading", name=owner, exact=True))
        found = re.search(r"process (\d+)", await doomed.inner_text())
        assert found is not None
        process = psutil.Process(int(found[1]))
        await doomed.get_by_role("button", name=f"Kill this node: {owner}").click()

        happened = page.locator(".happenings")
        took_over = re.compile(rf"took over 1 instance( and \d+ steps?)? of {owner}")
        await expect(happened).to_contain_text(f"{owner} declared dead by", timeout=20_000)
        await expect(happened).to_contain_text(took_over, timeout=20_000)
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        taken = happened.locator("li", has_text=took_over)
        after = re.search(r"([\d.]+) s after its last heartbeat", await taken.inner_text())
        assert after is not None
        assert float(after[1]) < 13, "a lease, a heartbeat and a poll"
        await expect(page.locator("#cluster-gone li", has_text=owner)).to_contain_text("dead")
        await expect(cards).to_have_count(3, timeout=30_000)
        await expect(cards.filter(has_text=owner)).to_have_count(0)
        await expect(spread.locator(".result code")).to_have_text(RESULT, timeout=100_000)
        await expect(spread.locator(".spread-done")).to_have_text("200 of 200")
        assert await never_reloaded(page)
        await page.goto("about:blank")  # an open page would go on asking for its stream


@pytest.mark.verify
async def test_the_only_node_dies_under_its_own_page(open_page, dsn: str, tmp_path: Path) -> None:
    """The page is served by the process that is killed: it comes back by itself."""
    async with development(dsn, tmp_path, nodes=1, namespace="e2e_alone") as url:
        refused = ("ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
        page = await open_page(f"{url}/nodes", expects=refused)
        card = page.locator(".card")
        await expect(card).to_have_count(1)
        name = await card.get_by_role("heading").inner_text()
        await card.get_by_role("button").click()
        await expect(page.locator(".happenings")).to_contain_text(f"{name} declared dead by", timeout=30_000)
        await expect(page.locator("#live")).to_have_text("live")
        await expect(card).to_have_count(1)
        await expect(card.get_by_role("heading")).not_to_have_text(name)
        assert await never_reloaded(page)
        for width in (360, 1440):
            await page.set_viewport_size({"width": width, "height": 740})
            assert await page.evaluate(SIDEWAYS) == 0
            assert await page.evaluate(SMALL) == []
        await page.goto("about:blank")
