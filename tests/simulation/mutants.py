"""Rules that are taken away, one at a time, to see that the simulation notices.

A mutant that no seed tells from the engine would mean that the rule is not tested, or not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from orquestrax.cluster.detector import FailureDetector
from orquestrax.cluster.lease import Lease
from orquestrax.core.claimer import Claimer
from orquestrax.core.execution import Effects, Execution
from orquestrax.core.journal import Lane
from orquestrax.core.turns import Turns
from orquestrax.model.rows import Message, Verdict, Write
from tests.simulation import taskmutants
from tests.simulation.model.clients import ClientStatements
from tests.simulation.model.journal import JournalStatements
from tests.simulation.model.nodes import NodeStatements
from tests.simulation.model.tables import Row
from tests.simulation.plan import Plan, plan_of
from tests.simulation.run import simulate
from tests.simulation.server import Server
from tests.simulation.stores import SimulatedJournalStore

Applied = Callable[[], AbstractContextManager[Any]]
SEEDS: Final = 1_000  # most need less than 100, lock and check in one statement 954


@dataclass(frozen=True)
class Mutant:
    """What is missing, and how to take it away.

    of_queues  only a cluster with queues can tell
    needs      the kind of fault without which nobody can
    """

    name: str
    apply: Applied
    of_queues: bool = False
    needs: str = ""

    def shows(self, plan: Plan) -> bool:
        """Whether it may be noticed where this is planned."""
        kinds = {fault.kind for fault in plan.faults}
        return (plan.clustered or not self.of_queues) and (not self.needs or self.needs in kinds)


class Caught(NamedTuple):
    """Which seed it was, and what gave the mutant away."""

    seed: int
    problem: str


class Whatever(int):
    """A number that is as good as any other."""

    __hash__ = int.__hash__

    def __eq__(self, _other: object) -> bool:
        return True

    def __ne__(self, _other: object) -> bool:
        return False


def _fence(rule: str) -> Applied:
    return lambda: patch.object(Server, "fence_rule", rule)


def _method(owner: type, name: str, made: Callable[[Any], Any]) -> Applied:
    return lambda: patch.object(owner, name, made(getattr(owner, name)))


def _no_mail_counter(sound: Any) -> Any:
    def lock_instances(self: JournalStatements, keys: Any) -> list[Row]:
        return [{**row, "mail": Whatever(row["mail"])} for row in sound(self, keys)]

    return lock_instances


def _act_before_commit(sound: Any) -> Any:
    def advance(self: Turns, execution: Execution, effects: Effects, **how: Any) -> None:
        if not execution.ended and execution.finish is None:
            self.acting.act(execution, Effects(list(effects.act), []))
        sound(self, execution, effects, **how)

    return advance


def _guess(verdict: Verdict) -> Callable[[Any], Any]:
    def made(_sound: Any) -> Any:
        async def settle_unknown(self: Lane, batch: list[Write], _error: Exception) -> None:
            self._store.drop()
            self._tell(batch, [verdict] * len(batch))

        return settle_unknown

    return made


def _look_without_fence(_sound: Any) -> Any:
    async def what_is_there(self: SimulatedJournalStore, keys: Any) -> Any:
        statements = self._line.server.database.statements
        await self._line.ask(lambda _session, reply: reply(None))
        return {row["key"]: _Found(row) for row in statements.last_events(keys)}

    return what_is_there


class _Found:
    def __init__(self, row: Row) -> None:
        self.owner, self.seq = row["owner"], row["seq"]


def _every_message_is_new(_sound: Any) -> Any:
    def unseen(_self: Execution, messages: Iterable[Message]) -> Iterator[Message]:
        yield from messages

    return unseen


def _no_wake(sound: Any) -> Any:
    return lambda _self, _row, _kinds: None


def _hint_instead_of_sweep(sound: Any) -> Any:
    def init(self: Claimer, *arguments: Any, **how: Any) -> None:
        sound(self, *arguments, **{**how, "poll": 1e6})

    return init


def _free_nothing(_sound: Any) -> Any:
    return lambda _self, _lost, _counts: []


def _any_heartbeat(sound: Any) -> Any:
    return lambda self, fence, status, _heartbeat: sound(self, fence, status, None)


def _no_gap(sound: Any) -> Any:
    def look(self: FailureDetector, nodes: Any, **times: float) -> list[int]:
        self._gap = float("inf")
        return sound(self, nodes, **times)  # type: ignore[no-any-return]

    return look


@contextmanager
def _snapshot() -> Iterator[None]:
    """A node that gives up when its lease ends hides this one: it does not write any more, fence or not."""
    with patch.object(Server, "fence_rule", "snapshot"), patch.object(Lease, "remaining", 1.0):
        yield


@contextmanager
def _no_lease() -> Iterator[None]:
    with patch.object(Lease, "allows", lambda _self: True):
        yield


MUTANTS: Final = (
    Mutant("no fence", _fence("none")),
    Mutant("lock and check in one statement", _snapshot, needs="thaw at death"),
    Mutant("no mail counter", _method(JournalStatements, "lock_instances", _no_mail_counter)),
    Mutant("a message wakes nobody", _method(ClientStatements, "_wake", _no_wake)),
    Mutant("act before commit", _method(Turns, "advance", _act_before_commit)),
    Mutant("unknown counts as committed", _method(Lane, "_settle_unknown", _guess(Verdict.COMMITTED))),
    Mutant(
        "unknown is read without the fence",
        _method(SimulatedJournalStore, "what_is_there", _look_without_fence),
    ),
    Mutant("every message is new", _method(Execution, "unseen", _every_message_is_new)),
    Mutant("hint instead of sweep", _method(Claimer, "__init__", _hint_instead_of_sweep)),
    Mutant("the dead keep what they held", _method(NodeStatements, "free_instances", _free_nothing)),
    Mutant("death whatever the heartbeat", _method(NodeStatements, "end_node", _any_heartbeat)),
    Mutant("a gap in the watch counts as silence", _method(FailureDetector, "look", _no_gap)),
    Mutant("bodies start without a lease", _no_lease),
    Mutant("no attempt check", taskmutants.no_attempt_check, of_queues=True),
    Mutant("task completion without fence", taskmutants.completion_without_fence, of_queues=True),
    Mutant("tasks read apart from inbox", taskmutants.tasks_apart_from_inbox, of_queues=True),
    Mutant("a step that runs here is handed over", taskmutants.running_handed_over, of_queues=True),
    Mutant("tasks by hints alone", taskmutants.claims_by_hints_alone, of_queues=True),
    Mutant("a result is told once", taskmutants.told_once, of_queues=True),
    Mutant("the dead keep their tasks", taskmutants.the_dead_keep_their_tasks, of_queues=True),
    Mutant("a lost at-most-once task runs again", taskmutants.at_most_once_runs_again, of_queues=True),
    Mutant("tasks of the paused are taken", taskmutants.tasks_of_the_paused_are_taken, of_queues=True),
    Mutant("a node that drains takes on", taskmutants.drained_nodes_take_on),
    Mutant("a leader for ever", taskmutants.leads_for_ever),
    Mutant("one death convicts", taskmutants.one_death_convicts),
    Mutant("nobody is convicted", taskmutants.nobody_is_convicted),
    Mutant("steps are handed out without suspicion", taskmutants.handed_out_unsuspected, of_queues=True),
)


def first_caught(mutant: Mutant, seeds: int = SEEDS) -> Caught | None:
    """The first of so many seeds that tells the mutant from the engine; None if none does."""
    for seed in range(seeds):
        if not mutant.shows(plan_of(seed)):
            continue
        with mutant.apply():
            found = _problem(seed)
        if found:
            return Caught(seed, found)
    return None


def _problem(seed: int) -> str:
    try:
        simulation = simulate(seed)
    except AssertionError as error:  # it does not come to rest
        return str(error)
    return simulation.problems[0] if simulation.problems else ""
