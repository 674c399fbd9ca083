"""The cluster as its page shows it: nodes as cards, what has happened to them, and who ran what. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orquestrax.client.nodes import WORKING, Code, Load, code_of, load_of, mixed, standing
from orquestrax.core.store.clientverbs import InstanceView, NodeView, Takeover
from orquestrax.model.tasks import QueueView
from orquestrax.web.views.clock import SECOND
from orquestrax.web.views.statuses import STATUSES, Look

MOST: Final = 40  # happenings on the page
LOOKS: Final[dict[str, Look]] = {
    "alive": Look("alive", "check", "completed", "✓"),
    "draining": Look("draining", "clock", "scheduled", "◷"),
    "silent": Look("silent", "again", "retrying", "↻"),
    "dead": Look("dead", "cross", "failed", "✗"),
    "ended": Look("ended", "dash", "idle", "\N{EN DASH}"),
}
CAUSES: Final = {
    "silent": "its heartbeats stopped",
    "gone": "its process was gone",
    "expired": "it could not renew its lease",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A node; `killable` if `dev` may end it."""

    view: NodeView
    look: Look
    since: int
    load: Load
    code: tuple[Code, ...]
    killable: bool

    @property
    def id(self) -> str:
        """The element's id."""
        return f"node-{self.view.fence}"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened in the cluster; `detail` says more."""

    id: str
    at: int
    look: Look
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Share:
    """A node's part of the steps of one instance; left and width in percent."""

    node: str
    steps: int
    left: str
    width: str
    working: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """The steps of one instance over the nodes: `done` of `asked`."""

    run: InstanceView
    look: Look
    result: str
    asked: int
    done: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Everything on the page. `mixed` has definitions of which working nodes have different code."""

    now: int
    cards: tuple[Card, ...]
    gone: tuple[Card, ...]
    happenings: tuple[Happening, ...]
    mixed: Mapping[str, Mapping[Code, Sequence[str]]]
    queues: tuple[QueueView, ...]
    spread: Spread | None

    @property
    def summary(self) -> str:
        """How many there are, in words."""
        counts = dict.fromkeys(LOOKS, 0)
        for card in self.cards:
            counts[card.look.word] += 1
        told = [f"{count} {word}" for word, count in counts.items() if count]
        return ", ".join(told) or "nobody is there"


def cluster(
    nodes: Sequence[NodeView],
    takeovers: Sequence[Takeover],
    *,
    now: int,
    killable: Collection[int] = (),
    queues: Sequence[QueueView] = (),
    spread: Spread | None = None,
) -> Cluster:
    """From rows; `killable` are fences."""
    cards = [_card(node, node.fence in killable) for node in nodes]
    return Cluster(
        now=now,
        cards=tuple(card for card in reversed(cards) if card.look.word in WORKING),
        gone=tuple(card for card in cards if card.look.word not in WORKING),
        happenings=tuple(happenings(nodes, takeovers)[:MOST]),
        mixed=mixed(nodes),
        queues=tuple(queues),
        spread=spread,
    )


def _card(node: NodeView, killable: bool) -> Card:
    status, since = standing(node)
    return Card(node, LOOKS[status], since, load_of(node), tuple(code_of(node)), killable)


def happenings(nodes: Sequence[NodeView], takeovers: Sequence[Takeover]) -> list[Happening]:
    """Starts, ends, deaths and takeovers, the latest first."""
    names = {node.fence: node.name for node in nodes}
    found = [each for node in nodes for each in _life(node, names)]
    found += [_takeover(each, names) for each in takeovers]
    return sorted(found, key=lambda each: (each.at, each.id), reverse=True)


def _life(node: NodeView, names: Mapping[int, str]) -> Iterator[Happening]:
    id_ = f"happened-{node.fence}"
    what = f"{', '.join(node.roles)} · {node.host}, process {node.pid}"
    yield Happening(f"{id_}-0", node.started_at, STATUSES["running"], f"{node.name} started", what)
    if node.draining_at is not None:
        what = "it starts nothing more, and hands over what it does not run"
        yield Happening(f"{id_}-3", node.draining_at, LOOKS["draining"], f"{node.name} drains", what)
    if node.ended_at is None:
        return
    if node.status != "dead":
        yield Happening(
            f"{id_}-1", node.ended_at, LOOKS["ended"], f"{node.name} ended", "what it held was handed over"
        )
        return
    by = f" by {_name(node.declared_by, names)}" if node.declared_by is not None else ""
    details = [
        CAUSES.get(node.cause or "", ""),
        _after(node.ended_at - node.seen_at, "its last heartbeat"),
        _freed(node),
    ]
    yield Happening(
        f"{id_}-1",
        node.ended_at,
        LOOKS["dead"],
        f"{node.name} declared dead{by}",
        " · ".join(filter(None, details)),
    )


def _freed(node: NodeView) -> str:
    held = _held(node.freed, node.freed_tasks)
    return f"{held} freed" if held else ""


def _held(instances: int | None, steps: int | None) -> str:
    parts = [_many(count, what) for count, what in ((instances, "instance"), (steps, "step")) if count]
    return " and ".join(parts)


def _takeover(taken: Takeover, names: Mapping[int, str]) -> Happening:
    who, whose = taken.name or _name(taken.node, names), _name(taken.dead, names)
    return Happening(
        f"happened-{taken.dead}-2-{taken.node}",
        taken.last_at,
        Look("taken over", "again", "retrying", "↻"),
        f"{who} took over {_held(taken.instances, taken.steps)} of {whose}",
        _after(taken.last_at - taken.lost_at, "its last heartbeat"),
    )


def _name(fence: int | None, names: Mapping[int, str]) -> str:
    return names.get(fence or 0, f"node {fence}")


def _after(span: int, what: str) -> str:
    return f"{max(0, span) / SECOND:.1f} s after {what}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def spread_of(run: InstanceView, asked: int, steps: Mapping[str, int], working: Collection[str]) -> Spread:
    """Who ran how many steps of an instance: `steps` by node, `asked` commands so far, `working` names of nodes."""
    whole = max(asked, sum(steps.values()), 1)
    shares, left = [], 0
    for node, count in sorted(steps.items(), key=lambda each: _natural(each[0])):
        shares.append(Share(node, count, f"{left / whole:.2%}", f"{count / whole:.2%}", node in working))
        left += count
    result = (run.result or "").strip('"')
    return Spread(run, STATUSES[run.status], result, whole, left, tuple(shares))


def _natural(name: str) -> tuple[str, int]:
    head, _, number = name.rpartition("-")
    return (head, int(number)) if number.isdigit() else (name, 0)
