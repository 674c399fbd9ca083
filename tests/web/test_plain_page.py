"""The page of a plain `def` workflow marks the line where it waits."""

from __future__ import annotations

import asyncio
import re

import orquestrax as ox
from tests.engine.until import until_status
from tests.web.conftest import Web


@ox.step
def price(article: str) -> int:
    return len(article)


def approved() -> bool:
    return ox.await_(asyncio.wait_for(ox.receive("approval", bool), 3600))


@ox.workflow
def order(articles: list[str]) -> str:
    total = sum(price.call(article) for article in articles)
    for _ in range(2):
        if not ox.await_(ox.receive("go on", bool)):
            raise ox.Rejected(str(total))
    return "done" if approved() else "refused"


def marked(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'class="line here" id="L(\d+)"', page)]


async def test_the_line_where_it_waits_is_marked(web: Web) -> None:
    client = await web.bench.node(order)
    run = await client.start(order, ["pen", "paper"], id="order-1")
    await until_status(run, "waiting")
    page = await web.http.get("/workflows/order-1")
    assert page.status_code == 200
    first = order.line
    assert f'id="L{first + 1}"' in page.text
    assert marked(page.text) == [first + 4]
    assert "def order(articles: list[str])" in page.text
