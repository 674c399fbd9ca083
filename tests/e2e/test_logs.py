"""The Logs tab: live, filtered by the address, at the newest record while one reads there, and safe."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.e2e.flows import talking
from tests.e2e.support import Site
from tests.e2e.test_live import never_reloaded
from tests.e2e.test_looks import SIDEWAYS, SMALL

pytestmark = pytest.mark.verify

TAIL = "(({scrollHeight: h, clientHeight: c, scrollTop: t}) => [h > c, Math.abs(t)])(document.querySelector('.tail'))"
HOSTILE = "<script>window.hacked = 1</script><b id=log-1>\u202e]]></pre>"


async def messages(page: Page) -> list[str]:
    """What the tab shows."""
    return list(await page.locator("#logs .l-message").all_inner_texts())


async def test_records_arrive_live_and_filters_are_in_the_address(site: Site, open_page, names) -> None:
    run = await site.client.start(talking, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}")
    await page.get_by_role("link", name="Logs").click()
    await expect(page.locator("#logs tr")).to_have_count(1)
    assert await messages(page) == ["hello"]
    await run.signal("say", HOSTILE)
    await expect(page.locator("#logs tr")).to_have_count(3)
    assert await messages(page) == ["hello", HOSTILE, "it failed"]
    assert await page.evaluate("window.hacked") is None
    failed = page.locator("#logs tr.failed")
    await expect(failed.locator(".l-level")).to_have_text("ERROR")
    await expect(failed.locator(".l-step")).to_have_text("e2e.fail")
    await failed.locator("summary").click()
    await expect(failed.locator(".trace")).to_contain_text("ZeroDivisionError: division by zero")
    await page.select_option("#log-level", "ERROR")
    await expect(page.locator("#logs tr")).to_have_count(1)
    assert page.url.endswith("?tab=logs&level=ERROR")
    await run.signal("say", "again")
    await expect(page.locator("#logs tr")).to_have_count(2)
    assert await messages(page) == ["it failed", "it failed"]
    await page.select_option("#log-level", "")
    await expect(page.locator("#logs tr")).to_have_count(5)
    await page.select_option("#log-step", label="the workflow itself")
    await expect(page.locator("#logs tr")).to_have_count(3)
    assert page.url.endswith("?tab=logs&step=-")
    await page.go_back()
    await page.go_back()
    await expect(page.locator("#logs tr")).to_have_count(2)
    await page.get_by_role("link", name="Clear").click()
    await expect(page.locator("#logs tr")).to_have_count(5)
    await run.signal("say", "")
    await expect(page.locator("#status")).to_have_text("completed")
    await page.get_by_role("link", name="Summary").click()
    await expect(page.locator("#events")).to_contain_text("completed")
    assert await never_reloaded(page)


async def test_the_newest_record_stays_in_sight_unless_one_reads_elsewhere(
    site: Site, open_page, names
) -> None:
    run = await site.client.start(talking, "x\n" * 30, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}?tab=logs", width=360, height=740)
    await expect(page.locator("#logs tr")).to_have_count(1)
    assert await page.evaluate(SIDEWAYS) == 0
    await run.signal("say", "y\n" * 10 + "z" * 400)
    await expect(page.locator("#logs tr")).to_have_count(3)
    assert await page.evaluate(TAIL) == [True, 0]  # at its end
    assert await page.evaluate(SIDEWAYS) == 0
    assert await page.evaluate(SMALL) == []
    await page.evaluate("document.querySelector('.tail').scrollBy(0, -200)")
    await run.signal("say", "more")
    await expect(page.locator("#logs tr")).to_have_count(5)
    overflows, away = await page.evaluate(TAIL)
    assert overflows
    assert away >= 200


async def test_an_empty_tab_says_what_would_be_there(site: Site, open_page, names) -> None:
    run = await site.client.start(talking, "", id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}?tab=logs")
    await expect(page.locator(".logs-panel .nothing")).to_contain_text("Nothing has been logged")
    await page.select_option("#log-level", "WARNING")
    await expect(page.locator(".logs-panel .nothing")).to_contain_text("No record matches.")
