"""What the Cluster page says, from rows."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.unit.web.kit import instance

from orquestrax.core.store.clientverbs import NodeView, Takeover
from orquestrax.web.render import fragment
from orquestrax.web.views.cluster import cluster, happenings, spread_of

S = 1_000_000
NOW = 1_000 * S


def node(fence: int, **changes: Any) -> NodeView:
    fields: dict[str, Any] = {
        "fence": fence, "name": f"vm-{fence}", "host": "vm", "pid": 100 + fence, "roles": ["engine", "worker"],
        "queues": ["*"], "definitions": ["d"], "slots": '{"thread": 6}', "release": "0.1.0", "heartbeat": 7,
        "status": "alive", "started_at": NOW - 60 * S + fence, "seen_at": NOW - S, "ended_at": None, "lease": 10.0,
        "draining_at": None,
        "python": "3.13", "code": '{"d": {"version": "1", "digest": "aaaaaaaaaaaa"}}', "declared_by": None,
        "cause": None, "freed": None, "freed_tasks": None,
        "load": '{"held": 2, "waiting": 9, "used": {"thread": 3}}', "now": NOW,
    }  # fmt: skip
    return NodeView(**{**fields, **changes})


DEAD = node(
    1,
    status="dead",
    seen_at=NOW - 5 * S,
    ended_at=NOW - 4 * S,
    declared_by=2,
    cause="gone",
    freed=1,
    freed_tasks=1200,
)
TAKEN = Takeover(
    dead=1,
    node=3,
    name="vm-3",
    instances=1,
    steps=1200,
    first_at=NOW - 4 * S,
    last_at=NOW - 3 * S,
    lost_at=NOW - 5 * S,
)


def test_what_happened_the_latest_first() -> None:
    told = [(each.text, each.detail) for each in happenings([node(3), node(2), DEAD], [TAKEN])]
    assert told[:3] == [
        ("vm-3 took over 1 instance and 1,200 steps of vm-1", "2.0 s after its last heartbeat"),
        (
            "vm-1 declared dead by vm-2",
            "its process was gone · 1.0 s after its last heartbeat · 1 instance and 1,200 steps freed",
        ),
        ("vm-3 started", "engine, worker · vm, process 103"),
    ]
    assert [text for text, _ in told[3:]] == ["vm-2 started", "vm-1 started"]


def test_a_clean_end_is_no_death() -> None:
    (end, _) = happenings([node(1, status="stopped", ended_at=NOW)], [])
    assert (end.text, end.look.word) == ("vm-1 ended", "ended")


def test_who_drains() -> None:
    leaving = node(2, status="draining", draining_at=NOW - 3 * S)
    (card,) = cluster([leaving], [], now=NOW).cards
    assert (card.look.word, card.since) == ("draining", NOW - 3 * S)
    (drain, start) = happenings([leaving], [])
    assert (drain.text, drain.at, start.text) == ("vm-2 drains", NOW - 3 * S, "vm-2 started")


def test_who_is_not_listed_any_more_still_has_a_name() -> None:
    (death, *_) = happenings([msgspec.structs.replace(DEAD, declared_by=77, cause=None, freed=0)], [])
    assert death.text == "vm-1 declared dead by node 77"
    assert death.detail == "1.0 s after its last heartbeat · 1,200 steps freed"


def test_cards_are_for_who_works_in_the_order_of_their_start() -> None:
    silent = node(3, seen_at=NOW - 11 * S)
    shown = cluster([silent, node(2), DEAD], [], now=NOW, killable={2})
    assert [(card.view.fence, card.look.word, card.killable) for card in shown.cards] == [
        (2, "alive", True),
        (3, "silent", False),
    ]
    assert [card.view.fence for card in shown.gone] == [1]
    assert shown.summary == "1 alive, 1 silent"
    assert cluster([], [], now=NOW).summary == "nobody is there"


def test_a_card_says_how_busy_it_is_and_the_dead_are_not() -> None:
    shown = cluster([node(2), DEAD], [], now=NOW)
    html = fragment("nodes/cards.html", "", c=shown, clock=NOW)
    assert "3 of 6" in html
    assert 'width="50.0%"' in html
    assert (shown.cards[0].load.held, shown.gone[0].load.held) == (2, 0)


def test_who_has_which_code() -> None:
    other = node(3, code='{"d": {"version": "2", "digest": "bbbbbbbbbbbb"}}')
    html = fragment("nodes/mixed.html", "", c=cluster([other, node(2)], [], now=NOW))
    assert "2 (bbbbbbbb)</code> on vm-3" in html
    assert "1 (aaaaaaaa)</code> on vm-2" in html
    assert " hidden" in fragment("nodes/mixed.html", "", c=cluster([node(3), node(2)], [], now=NOW))


def test_the_spread_adds_up() -> None:
    spread = spread_of(instance(result='"done"'), 200, {"vm-10": 50, "vm-9": 100}, {"vm-9"})
    assert [(share.node, share.left, share.width, share.working) for share in spread.shares] == [
        ("vm-9", "0.00%", "50.00%", True),
        ("vm-10", "50.00%", "25.00%", False),
    ]
    assert (spread.done, spread.asked, spread.result) == (150, 200, "done")


def test_names_of_others_are_text() -> None:
    html = fragment(
        "nodes/cards.html", "", c=cluster([node(1, name="<b>", host='"x')], [], now=NOW), clock=None
    )
    assert "<b>" not in html.replace("<b class", "")
    assert "&lt;b&gt;" in html
