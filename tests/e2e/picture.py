"""Takes the README's picture, docs/images/dashboard.png: `python -m tests.e2e.picture`.

It is the Cluster page of `orquestrax dev --nodes 3` a moment after a node was killed in the middle of a fan-out.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

from orquestrax.core.store.embedded import start_embedded
from tests.e2e.support import FLAGS, chromium
from tests.e2e.test_cluster import development

TARGET = Path(__file__).parents[2] / "docs" / "images" / "dashboard.png"
WIDTH, HEIGHT = 1280, 860
MIDDLE = 60  # steps done when a node is killed, of 200


async def main() -> None:
    """Start everything in a folder that is thrown away, and look at it."""
    with tempfile.TemporaryDirectory(prefix="orquestrax-picture-") as folder:
        server = start_embedded(home=Path(folder), project=Path(folder))
        try:
            async with development(server.dsn, Path(folder), nodes=3, namespace="orquestrax") as url:
                await take(url)
        finally:
            server.stop()


async def take(url: str, target: Path = TARGET) -> None:
    """One fan-out, at its best moment."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), headless=True, args=[*FLAGS])
        page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
        await page.goto(f"{url}/nodes")
        await page.click("#fan-out")
        await done(page, MIDDLE)
        owner = await page.inner_text("#cluster-spread .panel-head .dim .mono")
        await (
            page.locator(".card", has=page.get_by_role("heading", name=owner, exact=True))
            .get_by_role("button")
            .click()
        )
        await page.locator(".happenings", has_text="took over 1 instance").wait_for(timeout=30_000)
        await page.locator(".card").nth(2).wait_for(timeout=30_000)
        await done(page, 2 * MIDDLE)
        await page.mouse.move(WIDTH / 2, 2)
        target.parent.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=target)
        await browser.close()


async def done(page: Page, steps: int) -> None:
    """Wait until so many steps of the fan-out have ended."""
    await page.wait_for_function(
        "(steps) => Number(document.querySelector('.spread-done b')?.textContent) >= steps",
        arg=steps,
        timeout=60_000,
    )


if __name__ == "__main__":
    asyncio.run(main())
