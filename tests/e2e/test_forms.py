"""New workflow: the form that is made from a schema."""

from __future__ import annotations

from playwright.async_api import expect

from tests.e2e.support import Site
from tests.e2e.test_live import never_reloaded


async def test_a_start_from_the_form(site: Site, open_page, names) -> None:
    page = await open_page(f"{site.url}/start", expects=("422",))
    await page.get_by_role("link", name="send_parcel").click()
    await page.get_by_role("button", name="Add an item").click()
    await expect(page.locator('[name="input.parcel.items.0.name"]')).to_be_visible()
    await page.fill('[name="input.parcel.weight"]', "heavy")
    await page.click("#start")
    problem = page.locator('[id="input.parcel.weight-problem"]')
    await expect(problem).to_have_text("it must be a number")
    assert await page.input_value('[name="input.parcel.weight"]') == "heavy"
    assert await page.evaluate("document.activeElement.name") == "input.parcel.to"  # the first that is wrong
    await page.fill('[name="input.parcel.to"]', "Ada")
    await page.fill('[name="input.parcel.weight"]', "2.5")
    await page.select_option('[name="input.parcel.speed"]', label="express")
    await page.check('[name="input.parcel.gift"]')
    await page.fill('[name="input.parcel.on"]', "2026-12-24")
    await page.fill('[name="input.parcel.items.0.name"]', "tea")
    await page.fill("#id", names("a"))
    await page.click("#start")
    await expect(page.locator("#status")).to_have_text("completed")
    await expect(page.locator("#json-result")).to_have_text('"Ada 2.5 kg express 1 "')
    await expect(page.locator("#json-input")).to_contain_text('"on": "2026-12-24"')
    assert await never_reloaded(page)


async def test_json_and_code_beside_the_form(site: Site, open_page, names) -> None:
    page = await open_page(f"{site.url}/start/send_parcel", expects=("422",))
    await page.get_by_role("button", name="Edit as JSON").click()
    await page.fill("#json", '{"parcel": {"to": "Bo", "weight": "1"}}')
    await page.click("#start")
    await expect(page.locator("#json-problem")).to_contain_text("expected float, got str at $.weight")
    await page.fill("#json", '{"parcel": {"to": "Bo", "weight": 1}, "note": "!"}')
    await page.get_by_role("button", name="Edit as a form").click()
    await expect(page.locator('[name="input.parcel.to"]')).to_have_value("Bo")
    await page.fill("#id", names("a"))
    await page.click("#show-code")
    code = page.locator(".snippet")
    await expect(code.nth(0)).to_contain_text("Parcel(to='Bo', weight=1.0, speed=Speed.NORMAL")
    await expect(code.nth(1)).to_contain_text("orquestrax run send_parcel --input")
    await expect(code.nth(2)).to_contain_text(f"curl {site.url}/api/v1/instances")


async def test_an_id_that_is_taken_is_said_at_the_id(site: Site, open_page, names) -> None:
    page = await open_page(f"{site.url}/start/quick", expects=("422",))
    await page.fill("[name=input]", "one")
    await page.fill("#id", names("a"))
    await page.click("#start")
    await expect(page.locator("#status")).to_have_text("completed")
    await page.goto(f"{site.url}/start/quick")
    await page.fill("[name=input]", "two")
    await page.fill("#id", names("a"))
    await page.click("#start")
    await expect(page.locator("#id-problem")).to_contain_text("with another input")
    await page.fill("#id", "x" * 256)
    await page.click("#start")
    await expect(page.locator("#id-problem")).to_contain_text("1 to 255 characters")
