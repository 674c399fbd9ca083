"""Logging in, and what an open page says when that no longer holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.e2e.support import Site, eventually

TOKEN = "correct-horse-battery-staple-0123456789"


async def log_in(page: Page) -> None:
    """Fill in the form."""
    await page.fill("#token", TOKEN)
    await page.get_by_role("button", name="Log in").click()


@pytest.mark.verify
async def test_a_page_whose_session_has_ended_asks_to_log_in_again(
    open_page, dsn: str, tmp_path: Path
) -> None:
    async with Site(dsn, "e2e_login", tmp_path, roles="web", token=TOKEN) as site:
        page = await open_page(f"{site.url}/?search=x", expects=("401",))
        await page.fill("#token", "nope")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_have_text("That is not the token.")
        await log_in(page)
        await expect(page.locator("#live")).to_have_text("live")
        again = page.get_by_role("link", name="Log in again")
        await expect(again).to_be_hidden()
        (session,) = [c["value"] for c in await page.context.cookies() if "session" in c["name"]]
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/live" in request.url else None)
        site.app.state.access.sessions.close(session)
        site.app.state.hub.close()
        await expect(again).to_be_visible()
        await expect(page.locator("#live")).to_be_hidden()
        count = len(asked)
        await page.wait_for_timeout(1_500)  # longer than the pause before another try
        assert len(asked) == count  # asking again cannot help
        await again.click()
        await log_in(page)
        await expect(page.locator("#search")).to_have_value("x")
        await expect(page.locator("#live")).to_have_text("live")
        await eventually(lambda: _viewers(site), 1)


async def _viewers(site: Site) -> int:
    return int(site.app.state.hub.viewers)
