"""What people do to an instance from its page, and what they see when one failed."""

from __future__ import annotations

from playwright.async_api import expect

from tests.e2e.flows import approve, counting, quick, stubborn
from tests.e2e.support import Site
from tests.e2e.test_live import never_reloaded


async def test_a_signal_from_the_page(site: Site, open_page, names) -> None:
    run = await site.client.start(approve, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}", expects=("422",))
    await expect(page.locator("#waits")).to_contain_text("signal approval")
    await page.locator("#menu-signal summary").click()
    await page.fill("#signal-value", "tru")
    await page.get_by_role("button", name="Send signal").click()
    await expect(page.locator("#menu-signal .problem")).to_contain_text("not valid JSON")
    assert await page.input_value("#signal-value") == "tru"
    await page.fill("#signal-value", "true")
    await page.get_by_role("button", name="Send signal").click()
    await expect(page.locator("#status")).to_have_text("completed")
    await expect(page.locator("#events")).to_contain_text("signal approval: true")
    await expect(page.locator("#actions")).to_be_hidden()
    assert await never_reloaded(page)


async def test_a_cancel_from_the_page(site: Site, open_page, names) -> None:
    run = await site.client.start(stubborn, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}")
    await expect(page.locator("#waits")).to_contain_text("timer in 59 min")
    await page.locator("#menu-cancel summary").click()
    await page.fill("#cancel-reason", "changed my mind")
    await page.get_by_role("button", name="Cancel it").click()
    await expect(page.locator("#status")).to_have_text("cancelled")
    await expect(page.locator("#events")).to_contain_text("cancel requested by dashboard: changed my mind")
    await expect(page.locator("#events")).to_contain_text("e2e.charge completed")


async def test_a_pause_and_a_resume_from_the_page(site: Site, open_page, names) -> None:
    run = await site.client.start(approve, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}")
    await expect(page.locator("#menu-resume")).to_be_hidden()
    await page.locator("#menu-pause summary").click()
    await page.fill("#pause-reason", "lunch")
    await page.get_by_role("button", name="Pause it").click()
    await expect(page.locator("#status")).to_have_text("paused")
    await expect(page.locator("#events")).to_contain_text("paused by dashboard: lunch")
    await expect(page.locator("#menu-pause")).to_be_hidden()
    await page.locator("#menu-resume summary").click()
    await page.get_by_role("button", name="Resume it").click()
    await expect(page.locator("#status")).to_have_text("waiting")
    await expect(page.locator("#events")).to_contain_text("resumed by dashboard")
    await run.signal("approval", value=True)
    await expect(page.locator("#status")).to_have_text("completed")
    assert await never_reloaded(page)


async def test_a_terminate_from_the_page(site: Site, open_page, names) -> None:
    run = await site.client.start(stubborn, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}")
    await page.locator("#menu-terminate summary").click()
    await page.fill("#terminate-reason", "no use")
    await page.get_by_role("button", name="Terminate it").click()
    await expect(page.locator("#status")).to_have_text("terminated")
    await expect(page.locator("#events")).to_contain_text("terminated by dashboard: no use")
    await expect(page.locator("#events")).not_to_contain_text("e2e.charge")


async def test_an_action_on_what_has_ended_says_so(site: Site, open_page, names) -> None:
    run = await site.client.start(counting, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}", expects=("422",))
    await page.click("#live")
    await run.signal("number", 0)
    await run.result()
    await page.locator("#menu-cancel summary").click()
    await page.get_by_role("button", name="Cancel it").click()
    await expect(page.locator("#problem")).to_have_text("the instance has ended and takes no more messages")
    await expect(page.locator("#status")).to_have_text("completed")


async def test_a_failure_comes_first(site: Site, open_page, names) -> None:
    run = await site.client.start(approve, 5000.0, id=names("a"))
    page = await open_page(f"{site.url}/workflows/{run.id}")
    failure = page.locator("#failure")
    await expect(failure).to_be_visible()
    await expect(failure.locator("h2")).to_contain_text("Step e2e.charge failed at attempt 2")
    await expect(failure).to_contain_text("CardDeclined: 5000 is over the limit")
    await expect(failure).to_contain_text("because KeyError: 'limit'")
    await expect(failure.locator("pre").first).to_contain_text("in charge")
    assert await page.evaluate("""() => {
      const at = (id) => document.getElementById(id).getBoundingClientRect().top;
      return at("failure") < at("timeline") && at("timeline") < at("events");
    }""")
    await expect(page.locator("#lane-1 .bar.retrying.full")).to_have_count(1)
    await expect(page.locator("#lane-1 .bar.failed.full")).to_have_count(1)
    await page.goto(f"{site.url}/?search={run.id}")
    await expect(page.locator("#rows .c-now")).to_have_text("CardDeclined: 5000 is over the limit")


async def test_payloads_are_text(site: Site, open_page, names) -> None:
    id_ = names("<img src=x onerror=alert(1)>/..?#%")
    evil = '</pre></script><script>document.title="owned"</script>'
    run = await site.client.start(counting, id=id_)
    await run.signal("number", 0)
    await run.signal(f"<b>{evil}</b>", evil)
    page = await open_page(f"{site.url}/?search={names('')}")
    await page.click("#rows a")
    await expect(page.locator("h1")).to_have_text(id_)
    await expect(page.locator("#status")).to_have_text("completed")
    assert "owned" not in await page.title()
    assert await page.locator("#main b, #main img, #main script").count() == 0


async def test_a_long_result_is_cut_until_all_is_asked_for(site: Site, open_page, names) -> None:
    run = await site.client.start(quick, "x" * 100_000, id=names("a"))
    await run.result()
    page = await open_page(f"{site.url}/workflows/{run.id}")
    assert len(await page.inner_text("#json-result")) == 64_000
    await page.locator("#outcome").get_by_role("link", name="load all").click()
    await expect(page.locator("#outcome").get_by_role("link", name="load all")).to_have_count(0)
    assert len(await page.inner_text("#json-result")) == 100_002
    assert len(await page.inner_text("#json-input")) == 64_000
