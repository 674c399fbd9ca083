"""Takes the README's picture, docs/images/dashboard.png, of a test workflow: `python -m tests.e2e.picture`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from orquestrax.core.store.embedded import start_embedded
from tests.e2e.support import FLAGS, Site, chromium

TARGET = Path(__file__).parents[2] / "docs" / "images" / "dashboard.png"
MOMENT = 5.2  # seconds after the start: retried, and now a timer


async def main() -> None:
    """Start everything in a folder that is thrown away, and look at it."""
    with tempfile.TemporaryDirectory(prefix="orquestrax-picture-") as folder:
        server = start_embedded(home=Path(folder), project=Path(folder))
        try:
            async with Site(server.dsn, "picture", Path(folder)) as site:
                await take(site)
        finally:
            server.stop()


async def take(site: Site) -> None:
    """One test workflow, at its best moment."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), headless=True, args=[*FLAGS])
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        await page.goto(site.url)
        await page.click("#new-test")
        await page.wait_for_selector("#state")
        await asyncio.sleep(MOMENT)
        await page.mouse.move(640, 790)
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=TARGET)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
