"""How pages look: no width scrolls sideways, themes hold, and the page says what it is without colour."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.flows import approve, counting
from tests.e2e.support import Site

PATHS = (
    "/",
    "/start",
    "/start/send_parcel",
    "/definitions",
    "/definitions/approve",
    "/nodes",
    "/workflows/nobody",
)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SMALL = """() => [...document.querySelectorAll("a, button, summary, input:not([type=hidden]), select, textarea")]
  .filter((e) => e.checkVisibility() && !e.closest(".unseen, .skip, p, dd, td"))
  .filter((e) => !e.matches("[type=checkbox]"))
  .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
  .filter(([, box]) => box.height < 24 || box.width < 24).map(([html]) => html)"""


@pytest.mark.parametrize("width", [360, 1440])
async def test_no_page_scrolls_sideways(site: Site, open_page, names, width: int) -> None:
    failed = await site.client.start(approve, 5000.0, id=names(f"{width}-failed-{'long' * 30}"))
    waiting = await site.client.start(counting, id=names(f"{width}-waiting"))
    page = await open_page(site.url, width=width, height=740, expects=("404",))
    for path in (*PATHS, f"/workflows/{failed.id}", f"/workflows/{waiting.id}"):
        await page.goto(site.url + path)
        assert await page.evaluate(SIDEWAYS) == 0, path
        assert await page.evaluate(SMALL) == [], path
    await page.locator("#menu-terminate summary").click()
    assert await page.evaluate(SIDEWAYS) == 0


@pytest.mark.verify
async def test_the_login_is_in_the_middle(open_page, dsn: str, tmp_path: Path) -> None:
    async with Site(dsn, "e2e_door", tmp_path, roles="web", token="x" * 32) as site:
        page = await open_page(site.url, height=740)
        for width in (360, 1440):
            await page.set_viewport_size({"width": width, "height": 740})
            assert await page.evaluate(SIDEWAYS) == 0
            assert await page.evaluate(SMALL) == []
            box = await page.locator(".login").bounding_box()
            assert box is not None
            assert abs(box["x"] + box["width"] / 2 - width / 2) <= 1
            assert box["width"] == 328


@pytest.mark.verify
async def test_the_theme_is_kept_and_rendered_by_the_server(site: Site, open_page) -> None:
    page = await open_page(site.url, color_scheme="light")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    assert await page.evaluate(background) == "rgb(247, 248, 250)"
    await page.get_by_role("button", name="dark theme").click()
    await expect(page.get_by_role("button", name="dark theme")).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate(background) == "rgb(13, 17, 23)"
    await page.reload()
    assert await page.evaluate(background) == "rgb(13, 17, 23)"
    await page.get_by_role("button", name="auto theme").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "auto")
    assert await page.evaluate(background) == "rgb(247, 248, 250)"


async def test_the_guard_is_strict_and_assets_are_kept(site: Site, open_page) -> None:
    page = await open_page(site.url)
    answer = await page.request.get(site.url)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    style = await page.get_attribute("link[rel=stylesheet]", "href")
    asset = await page.request.get(f"{site.url}{style}")
    assert "immutable" in asset.headers["cache-control"]
    missing = await page.request.get(f"{site.url}/static/style.css")
    assert missing.status == 404
    forged = await page.request.post(f"{site.url}/actions/test", form={"csrf": "x" * 43})
    assert forged.status == 403
