"""One browser and one site for all tests here; a page, watched, for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.e2e.support import FLAGS, Site, Watch, chromium

Opened = Callable[..., Awaitable[Page]]
# Ten nodes under full load, say, may share the two cores with a page: who waits for less says so itself.
PATIENCE = 60_000  # milliseconds
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here share one event loop, since they share the browser and the site."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker("browser")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    executable = chromium()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=executable, headless=True, args=[*FLAGS])
        yield started
        await started.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A node with engine and dashboard."""
    async with Site(dsn, "e2e", tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[Opened]:
    """Opens pages, each in a context of its own; at the end none may have complained."""
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    async def opened(
        url: str, *, width: int = 1440, height: int = 900, expects: tuple[str, ...] = (), **options: Any
    ) -> Page:
        context = await browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        watch = Watch(page)
        watch.expected = expects
        watches.append(watch)
        await page.goto(url)
        await page.evaluate("window.loadedOnce = true") if options.get("java_script_enabled", True) else None
        return page

    yield opened
    for context in contexts:
        await context.close()
    for watch in watches:
        watch.check()


@pytest.fixture
def names(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Ids that no other test has."""
    return lambda name: f"{request.node.name[5:25].replace('_', '-')}-{name}"
