"""Fragments of open pages: they change only when facts do, and every target is an element of that id."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from tests.unit.web.kit import KEY, MS, Events, definition, instance, row

from orquestrax.web.live.details import DetailView, fragments_of
from orquestrax.web.live.differences import differences
from orquestrax.web.render import Links, fragment
from orquestrax.web.views.detail import detail
from orquestrax.web.views.listing import rows_of

VIEW = DetailView(KEY, "/ox")
HISTORY = Events().ended(1, "charge", 100, 300, issued=1).started(2, "pack", 1400, 400, issued=2)


def shown(now: int, events: Events = HISTORY) -> dict[str, str]:
    found = detail(
        instance(), events.rows, definition("async def fulfil():\n    await pack()\n"), now=now * MS
    )
    return dict(fragments_of(found, VIEW))


def test_time_alone_changes_nothing() -> None:
    assert differences(shown(1500), shown(3900)) == []
    (only,) = differences(shown(3900), shown(5500))  # beyond the chart's round span
    assert only.target == "timeline"


def test_a_new_event_sends_its_row_and_no_other() -> None:
    more = Events().ended(1, "charge", 100, 300, issued=1).started(2, "pack", 1400, 400, issued=2)
    more.ended(2, "pack", 400, 1600, issued=2)
    sent = {operation.target: operation.html for operation in differences(shown(1500), shown(1700, more))}
    assert 'id="event-3"' in sent["events"]
    assert 'id="event-2"' not in sent["events"]
    assert "failure" not in sent


def test_each_fragment_is_one_element_with_its_target_as_id() -> None:
    for name, html in shown(1500).items():
        root = ET.fromstring(html.replace("data-ended", "").replace(" hidden", ""))
        assert root.get("id") == name.rpartition("/")[2], name


def test_rows_are_the_same_whenever_they_are_looked_at() -> None:
    texts = [
        fragment("list/row.html", "", row=rows_of([row()], {}, now)[0], clock=None) for now in (1, 10**12)
    ]
    assert texts[0] == texts[1]


def test_addresses_hold_any_id_and_any_prefix() -> None:
    link = Links("/ox")
    assert link.workflow("a/b?c#d%e ü") == "/ox/workflows/a%2Fb%3Fc%23d%25e%20%C3%BC"
    assert link.workflow("..") == "/ox/workflows/?id=.."
    assert link.to("/", status="", search="a b") == "/ox/?search=a+b"
    assert link.asset("live.js").startswith("/ox/static/live.")
