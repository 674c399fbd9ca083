"""The list: filters live in the address, the back button works, pages follow a key, and all of it without a script."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.flows import approve, counting, quick
from tests.e2e.support import Site
from tests.e2e.test_live import never_reloaded


async def test_filters_are_in_the_address_and_back_works(site: Site, open_page, names) -> None:
    for number in range(3):
        await (await site.client.start(quick, id=names(f"quick-{number}"))).result()
    waiting = await site.client.start(counting, id=names("waiting"))
    failed = await site.client.start(approve, 5000.0, id=names("failed"))
    page = await open_page(f"{site.url}/?search={names('')}")
    ids = page.locator("#rows .c-id")
    await expect(ids).to_have_count(5)
    await page.click("#count-failed")
    await expect(ids).to_have_text([failed.id])
    assert "status=failed" in page.url
    assert f"search={names('')}" in page.url
    await page.go_back()
    await expect(ids).to_have_count(5)
    await page.select_option("#definition", "counting")
    await expect(ids).to_have_text([waiting.id])
    assert "definition=counting" in page.url
    await page.click("#rows a")
    await expect(page.locator("h1")).to_have_text(waiting.id)
    await page.go_back()
    await expect(ids).to_have_text([waiting.id])
    assert await page.input_value("#definition") == "counting"
    await page.go_back()
    await expect(ids).to_have_count(5)
    assert await page.input_value("#definition") == ""
    await page.fill("#search", names("quick"))
    await expect(ids).to_have_count(3)
    assert names("quick") in page.url
    assert await page.evaluate("document.activeElement.id") == "search"
    assert await never_reloaded(page)


@pytest.mark.verify
async def test_pages_go_on_behind_a_key(site: Site, open_page, names) -> None:
    started = [await site.client.start(quick, id=names(f"{number:02}")) for number in range(52)]
    page = await open_page(f"{site.url}/?search={names('')}")
    ids = page.locator("#rows .c-id")
    await expect(ids).to_have_count(50)
    await expect(ids.first).to_have_text(started[-1].id)
    await page.get_by_role("link", name="Older").click()
    await expect(ids).to_have_text([started[1].id, started[0].id])
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)
    await page.get_by_role("link", name="Newest").click()
    await expect(ids).to_have_count(50)


@pytest.mark.verify
async def test_everything_works_without_a_script(site: Site, open_page, names) -> None:
    await (await site.client.start(quick, id=names("done"))).result()
    waiting = await site.client.start(counting, id=names("waiting"))
    page = await open_page(site.url, java_script_enabled=False)
    await page.fill("#search", names(""))
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("#rows .c-id")).to_have_count(2)
    await page.click("#count-waiting")
    await expect(page.locator("#rows .c-id")).to_have_text([waiting.id])
    await page.click("#rows a")
    await page.locator("#menu-signal summary").click()
    await page.fill("#signal-value", "0")
    await page.get_by_role("button", name="Send signal").click()
    await waiting.result(20)
    await page.reload()
    await expect(page.locator("#status")).to_have_text("completed")
    await page.get_by_role("button", name="dark theme").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(page.locator("h1")).to_have_text(waiting.id)
    await page.click("#new-test")
    await expect(page.locator("#state")).to_contain_text("test_workflow")


@pytest.mark.verify
async def test_nothing_here_has_the_same_look(site: Site, open_page) -> None:
    page = await open_page(f"{site.url}/workflows/nobody", expects=("404",))
    await expect(page.locator("main")).to_contain_text("there is no instance with the id 'nobody'")
    await page.goto(f"{site.url}/nothing/here")
    await expect(page.locator("main")).to_contain_text("there is nothing at /nothing/here")
    await expect(page.locator("#new-test")).to_be_visible()
