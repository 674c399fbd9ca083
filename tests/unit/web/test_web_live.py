"""The live hub: no viewer, no query; rendered once per view; slow pages get snapshots; right without hints."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.web.live import hub as hubs
from orquestrax.web.live.differences import differences
from orquestrax.web.live.hub import Hub
from orquestrax.web.live.topics import QUEUE

KEY, OTHER = UUID(int=1), UUID(int=2)
WITHIN = 20.0


class Hints:
    """What the hub listens to, and who listens."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[str], None]] = []

    def listen(self, _name: str, listener: Callable[[str], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def tell(self, payload: str) -> None:
        for listener in list(self.listeners):
            listener(payload)


class Numbers:
    """A source whose views are keys; what they show is set by the test, and every look is written down."""

    every = 0.0

    def __init__(self) -> None:
        self.shown: dict[UUID, dict[str, str]] = {KEY: {"a": "<p id=a>1</p>"}, OTHER: {"b": "<p id=b>1</p>"}}
        self.looks: list[list[UUID]] = []
        self.looked = asyncio.Event()
        self.fails: Exception | None = None
        self.at = 1_000_000

    def concerns(self, view: UUID, keys: frozenset[UUID]) -> bool:
        return view in keys

    async def look(self, views: Sequence[UUID]) -> Mapping[UUID, tuple[int, dict[str, str]]]:
        self.looks.append(list(views))
        self.looked.set()
        if self.fails is not None:
            raise self.fails
        return {view: (self.at, dict(self.shown[view])) for view in views}


class Reader:
    """One open page: reads its stream as events."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream

    async def next(self, kind: str = "frame") -> Any:
        """The data of the next event of this kind."""
        async with asyncio.timeout(WITHIN):
            async for chunk in self._stream:
                found = re.match(rb"event: (\w+)\ndata: (.*)\n\n", chunk)
                if found and found[1].decode() == kind:
                    return msgspec.json.decode(found[2])
        raise AssertionError("the stream has ended")

    async def operations(self) -> list[list[str]]:
        """The operations of the next frame."""
        frame = await self.next()
        return list(frame["ops"])


@pytest.fixture
def hints() -> Hints:
    return Hints()


async def test_a_snapshot_comes_first_then_what_changes(hints: Hints) -> None:
    hub, source = Hub(hints, poll=60), Numbers()
    async with aclosing(hub.stream([(source, KEY)])) as stream:
        page = Reader(stream)
        assert await page.operations() == [["morph", "a", "<p id=a>1</p>"]]
        source.shown[KEY] = {"a": "<p id=a>1</p>", "c": "<p id=c>2</p>"}
        hints.tell(str(KEY))
        assert await page.operations() == [["morph", "c", "<p id=c>2</p>"]]


async def test_nobody_watches_nobody_listens_nothing_is_asked(hints: Hints) -> None:
    hub, source = Hub(hints, poll=0.01), Numbers()
    assert hints.listeners == []
    async with aclosing(hub.stream([(source, KEY)])) as stream:
        await Reader(stream).next()
        assert len(hints.listeners) == 1
    assert hints.listeners == []
    assert hub.viewers == 0
    looks = len(source.looks)
    await asyncio.sleep(0.05)  # longer than some polls
    assert len(source.looks) == looks


async def test_equal_views_are_looked_at_once_and_others_not_at_all(hints: Hints) -> None:
    hub, source = Hub(hints, poll=60), Numbers()
    streams = [hub.stream([(source, view)]) for view in (KEY, KEY, OTHER)]
    pages = [Reader(stream) for stream in streams]
    for page in pages:
        await page.next()
    source.looks.clear()
    source.shown[KEY] = {"a": "<p id=a>2</p>"}
    hints.tell(f"{KEY} {UUID(int=9)}")
    assert await pages[0].operations() == await pages[1].operations() == [["morph", "a", "<p id=a>2</p>"]]
    assert source.looks == [[KEY]]
    for stream in streams:
        await stream.aclose()


async def test_too_many_hints_to_list_mean_everything(hints: Hints) -> None:
    hub, source = Hub(hints, poll=60), Numbers()
    async with aclosing(hub.stream([(source, KEY)])) as stream:
        page = Reader(stream)
        await page.next()
        source.shown[KEY] = {"a": "<p id=a>2</p>"}
        hints.tell("*")
        assert await page.operations() == [["morph", "a", "<p id=a>2</p>"]]


async def test_pages_are_right_without_hints(hints: Hints) -> None:
    hub, source = Hub(hints, poll=0.02), Numbers()
    async with aclosing(hub.stream([(source, KEY)])) as stream:
        page = Reader(stream)
        await page.next()
        source.shown[KEY] = {"a": "<p id=a>2</p>"}
        assert await page.operations() == [["morph", "a", "<p id=a>2</p>"]]


async def test_steady_hints_about_one_view_do_not_starve_the_polls_of_others(hints: Hints) -> None:
    hub, source = Hub(hints, poll=0.05), Numbers()
    async with (
        aclosing(hub.stream([(source, KEY)])) as busy,
        aclosing(hub.stream([(source, OTHER)])) as quiet,
    ):
        await Reader(busy).next()
        page = Reader(quiet)
        await page.next()
        source.shown[OTHER] = {"b": "<p id=b>2</p>"}

        async def storm() -> None:
            while True:
                hints.tell(str(KEY))
                await asyncio.sleep(0.001)

        blowing = asyncio.create_task(storm())
        assert await page.operations() == [["morph", "b", "<p id=b>2</p>"]]
        blowing.cancel()


async def test_a_slow_page_gets_a_snapshot_instead_of_a_backlog(hints: Hints) -> None:
    hub, source = Hub(hints, poll=60), Numbers()
    async with aclosing(hub.stream([(source, KEY)])) as stream:
        page = Reader(stream)
        await page.next()
        for number in range(QUEUE + 2):  # nobody reads meanwhile
            source.looked.clear()
            source.shown[KEY] = {"a": f"<p id=a>{number}</p>", "c": "<p id=c>same</p>"}
            hints.tell(str(KEY))
            await asyncio.wait_for(source.looked.wait(), WITHIN)
        assert await page.operations() == [
            ["morph", "a", f"<p id=a>{QUEUE + 1}</p>"],
            ["morph", "c", "<p id=c>same</p>"],
        ]


async def test_what_did_not_change_is_not_sent_but_a_beat_says_that_it_is_right(
    hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "BEAT", 0.01)
    hub, source = Hub(hints, poll=0.01), Numbers()
    async with aclosing(hub.stream([(source, KEY)])) as stream:
        page = Reader(stream)
        await page.next()
        source.at = 7_000_000
        async with asyncio.timeout(WITHIN):
            while await page.next("beat") != 7_000:
                continue


async def test_a_quiet_page_hears_of_every_look_and_so_never_seems_behind(hints: Hints) -> None:
    hub, source = Hub(hints, poll=0.01), Numbers()  # beats by themselves come only once a second
    async with aclosing(hub.stream([(source, KEY)])) as stream:
        page = Reader(stream)
        await page.next()
        async with asyncio.timeout(20):
            for at in range(7, 47):
                source.at = at * 1_000_000
                while await page.next("beat") != at * 1_000:
                    continue


async def test_a_database_that_does_not_answer_makes_pages_fall_behind_not_end(
    hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "BEAT", 0.01)
    hub, source = Hub(hints, poll=0.01), Numbers()
    async with aclosing(hub.stream([(source, KEY)])) as stream:
        page = Reader(stream)
        await page.next()
        source.fails, source.at = DatabaseUnreachable("no answer"), 9_000_000
        assert await page.next("beat") == 1_000
        source.fails, source.shown[KEY] = None, {"a": "<p id=a>back</p>"}
        assert await page.operations() == [["morph", "a", "<p id=a>back</p>"]]


async def test_closing_the_hub_ends_all_streams(hints: Hints) -> None:
    hub, source = Hub(hints, poll=60), Numbers()
    stream = hub.stream([(source, KEY)])
    await Reader(stream).next()
    hub.close()
    async with asyncio.timeout(WITHIN):
        assert [chunk async for chunk in stream] == []
    assert hub.viewers == 0


# -- differences ------------------------------------------------------------------------------------------------------

names = st.sampled_from(["state", "failure", "rows/r1", "rows/r2", "rows/r3", "events/e1", "events/e2"])
fragments = st.lists(st.tuples(names, st.sampled_from(["1", "2"])), unique_by=lambda pair: pair[0]).map(dict)


def applied(page: dict[str, Any], operations: list[Any]) -> dict[str, Any]:
    """A page as the runtime changes it: elements by id, tables as lists of rows."""
    page = {name: dict(part) if isinstance(part, dict) else part for name, part in page.items()}
    for operation, target, html in operations:
        if operation == "morph":
            page[target] = html
            continue
        order = re.search(r'data-order="([^"]*)"', html)[1].split()  # type: ignore[index]
        known = page.get(target, {}) | {
            found[1]: found[0] for found in re.finditer(r"<tr id=(\w+)>.*?</tr>", html)
        }
        page[target] = {row: known[row] for row in order}
    return page


def rendered(parts: dict[str, str]) -> dict[str, str]:
    return {
        name: f"<tr id={name.split('/')[1]}>{text}</tr>" if "/" in name else f"<p>{text}</p>"
        for name, text in parts.items()
    }


def as_page(parts: dict[str, str]) -> dict[str, Any]:
    page: dict[str, Any] = {}
    for name, html in parts.items():
        table, slash, row = name.partition("/")
        if slash:
            page.setdefault(table, {})[row] = html
        else:
            page[name] = html
    return page


@given(fragments, fragments)
def test_differences_bring_a_page_up_to_date(before: dict[str, str], after: dict[str, str]) -> None:
    old, new = rendered(before), rendered(after)
    page = applied(as_page(old), differences(old, new))
    shown = {name: part for name, part in page.items() if name in as_page(new) or part == {}}
    wanted = as_page(new)
    assert {name: part for name, part in shown.items() if part != {}} == wanted
    for name, part in wanted.items():
        if isinstance(part, dict):
            assert list(page[name]) == list(part)  # and in this order


@given(fragments)
def test_nothing_is_sent_where_nothing_changed(parts: dict[str, str]) -> None:
    assert differences(rendered(parts), rendered(parts)) == []
