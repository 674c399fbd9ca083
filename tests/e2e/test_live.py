"""What is seen live: from pending to completed, step by step, without a reload."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Page, expect

from orquestrax.node import Node
from tests.e2e.flows import approve, copying, counting, going
from tests.e2e.support import SERVED, Site, eventually

SEEN = """() => {
  window.seen = { status: [], waits: [], here: [] };
  const keep = (list, text) => { if (text && list.at(-1) !== text) list.push(text); };
  const look = () => {
    keep(window.seen.status, document.getElementById("state")?.dataset.status);
    keep(window.seen.waits, document.getElementById("waits")?.innerText);
    keep(window.seen.here, document.querySelector(".source .here")?.innerText);
  };
  look();
  new MutationObserver(look).observe(document.body, { subtree: true, attributes: true, childList: true });
}"""


HIDDEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  dispatchEvent(new Event("visibilitychange"));
}"""


async def never_reloaded(page: Page) -> bool:
    """Whether the page is the one that was opened first."""
    return bool(await page.evaluate("window.loadedOnce === true"))


async def test_a_test_workflow_goes_from_pending_to_completed(open_page, dsn: str, tmp_path: Path) -> None:
    async with Site(dsn, "e2e_pending", tmp_path, roles="web") as site:
        page = await open_page(site.url)
        await expect(page.locator("#welcome")).to_be_visible()
        await page.click("#new-test")
        await expect(page.locator("#status")).to_have_text("pending")
        await expect(page.locator("#waits")).to_contain_text("no live node has the code of test_workflow")
        await page.evaluate(SEEN)
        node = Node(site.settings, SERVED, roles=["engine", "worker"])
        await node.start()
        try:
            await expect(page.locator("#status")).to_have_text("completed", timeout=30_000)
        finally:
            await node.stop(grace=0.5)
        seen = await page.evaluate("window.seen")
        assert [status for status in seen["status"] if status != "waiting"][:2] == ["pending", "running"]
        assert seen["status"][-1] == "completed"
        assert any("test.book_courier, attempt 2" in text for text in seen["waits"]), seen["waits"]
        assert any("book_courier(shipment)" in text for text in seen["here"]), seen["here"]
        assert any("asyncio.sleep(2)" in text for text in seen["here"]), seen["here"]
        events = page.locator("#events")
        await expect(events).to_contain_text("created by dashboard")
        await expect(events).to_contain_text("started on node ")
        await expect(events).to_contain_text("test.book_courier, attempt 2 completed in 1.")
        await expect(page.locator("#outcome")).to_contain_text("courier booked for 4.5 kg")
        await expect(page).to_have_title("✓ " + await page.inner_text("h1") + " · OrquestraX")
        assert "completed" in str(await page.get_attribute("#icon", "href"))
        assert await never_reloaded(page)


async def test_the_list_follows_counts_and_rows(site: Site, open_page, names) -> None:
    page = await open_page(f"{site.url}/?search={names('')}")
    await expect(page.locator(".nothing")).to_be_visible()
    run = await site.client.start(approve, id=names("a"))
    row = page.locator("#rows tr", has_text=run.id)
    await expect(row).to_contain_text("waiting")
    await expect(row).to_contain_text("signal approval")
    await run.signal("approval", True)
    await expect(row).to_contain_text("completed")
    await expect(row).to_contain_text('"paid 10"')
    assert await never_reloaded(page)


async def test_a_running_step_shows_how_far_it_is(site: Site, open_page, names) -> None:
    run = await site.client.start(copying, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}")
    bar, words = page.get_by_role("progressbar"), page.locator(".progress-words")
    await expect(bar).to_have_attribute("aria-valuenow", "0")
    await expect(page.locator(".progress-heard")).to_have_text(re.compile(r"heartbeat \d+ s ago"))
    going[run.id].set()
    await expect(bar).to_have_attribute("aria-valuenow", "41")
    await expect(words).to_have_text(re.compile(r"412 of 1,000 +41 % +<b>file 412</b>"))
    assert await bar.locator("rect").get_attribute("width") == "41.20%"
    going[run.id].set()
    await expect(words).to_contain_text("1,000 of 1,000")
    going[run.id].set()
    await expect(page.locator("#status")).to_have_text("completed")
    await expect(bar).to_have_count(0)
    assert await never_reloaded(page)


async def test_rows_do_not_jump_under_the_pointer(site: Site, open_page, names) -> None:
    first = await site.client.start(counting, id=names("first"))
    page = await open_page(f"{site.url}/?search={names('')}")
    ids = page.locator("#rows .c-id")
    await expect(ids).to_have_text([first.id])
    await page.hover("#rows .c-now")
    second = await site.client.start(counting, id=names("second"))
    await expect(page.locator("#newcomers")).to_have_text("1 new")
    await first.signal("number", 0)
    await expect(page.locator("#rows tr", has_text=first.id)).to_contain_text("completed")
    await expect(ids).to_have_text([first.id])
    await page.mouse.move(5, 5)
    await expect(ids).to_have_text([second.id, first.id])
    await expect(page.locator("#newcomers")).to_be_hidden()
    await page.focus("#rows a >> nth=0")
    third = await site.client.start(counting, id=names("third"))
    await page.click("#newcomers")
    await expect(ids).to_have_text([third.id, second.id, first.id])


async def test_what_people_do_survives_patches(site: Site, open_page, names) -> None:
    run = await site.client.start(counting, id=names("a"))
    await run.signal("number", 1)
    page = await open_page(f"{site.url}/workflows/{run.id}", height=400)
    await page.locator("#event-1-data summary").click()
    await page.locator("#menu-signal summary").click()
    await page.fill("#signal-value", "123456")
    await page.evaluate("document.getElementById('signal-value').setSelectionRange(2, 4)")
    await page.evaluate("scrollTo(0, 50)")
    before = await page.evaluate("scrollY")
    for number in range(2, 6):
        await run.signal("number", number)
        await expect(page.locator(f"#event-{number}")).to_contain_text(f"signal number: {number}")
    await page.evaluate("dispatchEvent(new Event('visibilitychange'))")  # a new stream: all of it comes again
    await run.signal("number", 6)
    await expect(page.locator("#event-6")).to_contain_text("signal number: 6")
    assert await page.evaluate("document.activeElement.id") == "signal-value"
    assert await page.input_value("#signal-value") == "123456"
    assert await page.evaluate(
        "(({selectionStart: a, selectionEnd: b}) => [a, b])(document.activeElement)"
    ) == [2, 4]
    assert await page.evaluate("document.getElementById('event-1-data').open")
    assert await page.evaluate("document.getElementById('menu-signal').open")
    assert await page.evaluate("scrollY") == before
    await page.keyboard.press("Escape")
    await page.focus("#source-text")
    await page.evaluate("dispatchEvent(new Event('visibilitychange'))")
    await run.signal("number", 7)
    await expect(page.locator("#event-7")).to_contain_text("signal number: 7")
    assert await page.evaluate("document.activeElement.id") == "source-text"
    assert not await page.evaluate("document.getElementById('menu-signal').open")
    assert await never_reloaded(page)


async def test_a_page_stays_right_without_hints(open_page, dsn: str, tmp_path: Path) -> None:
    async with Site(dsn, "e2e_silent", tmp_path, hints=False) as site:
        run = await site.client.start(approve, id="silent")
        page = await open_page(f"{site.url}/workflows/silent")
        await run.signal("approval", True)
        await expect(page.locator("#status")).to_have_text("completed", timeout=4_000)


async def test_a_hidden_tab_and_a_paused_page_watch_nothing(site: Site, open_page, names) -> None:
    run = await site.client.start(counting, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}")
    await eventually(_viewers(site), 1)
    await page.click("#live")
    await expect(page.locator("#live")).to_have_text("paused")
    await eventually(_viewers(site), 0)
    await run.signal("number", 7)
    await page.click("#live")
    await expect(page.locator("#live")).to_have_text("live")
    await expect(page.locator("#events")).to_contain_text("signal number: 7")
    await page.evaluate(HIDDEN, True)
    await eventually(_viewers(site), 0)
    await page.evaluate(HIDDEN, False)
    await eventually(_viewers(site), 1)


def _viewers(site: Site):
    async def count() -> int:
        return int(site.app.state.hub.viewers)

    return count
