"""The checker: judges instances by their histories, the clients' logs, and the effects that bodies left elsewhere.

All tests use this one, whatever was done to the nodes: with real processes, and in the simulation. Each check asserts
one group of promises, by their numbers.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orquestrax.base.codec import encode_error
from orquestrax.client.client import Client
from orquestrax.core.store.clientverbs import EventView
from orquestrax.define.workflow import Workflow
from orquestrax.model import events
from orquestrax.model.commands import StartTimer
from orquestrax.model.events import Event
from orquestrax.model.states import TERMINAL
from orquestrax.replay.instance import Identity, Replay

STEERS: Final = ("pause", "resume")


@dataclass(frozen=True, kw_only=True)
class Body:
    """One run of a step's body: `given` are results of earlier steps, `token` is what no other run returns.

    at in microseconds, node the fence of the incarnation that ran it, once if the step is at-most-once.
    """

    at: int
    node: int
    instance: str
    command: int
    attempt: int
    given: tuple[str, ...]
    token: str
    once: bool = False


@dataclass(kw_only=True)
class Call:
    """What a client asked and heard: `outcome` is empty until then, else ok, ended, pointless, unknown or refused."""

    instance: str
    kind: str
    value: str
    message: str
    outcome: str = ""
    tries: int = 0

    @property
    def over(self) -> bool:
        """Whether there was an answer that stays."""
        return self.outcome in ("ok", "ended", "pointless")


async def check_instance(client: Client, workflow: Workflow[..., Any], id_: str) -> list[Event]:
    """Assert I3, I6, I7, I12 and I19 for an ended instance; returns its history."""
    view = await client.view(id_)
    stored = await client.store.events(view.key, limit=1_000_000)
    history = check_history(view, stored, await client.store.inbox(view.key))
    if ran(view, history):
        await asyncio.get_running_loop().run_in_executor(None, replay_again, workflow, view, history)
    return history


def check_history(view: Any, stored: Sequence[EventView], inbox: Sequence[Any]) -> list[Event]:
    """Assert I3, I6 and I7 for the row, events and inbox of an ended instance; returns its history."""
    assert view.status in TERMINAL, f"it has not ended: {view.status}"
    assert view.owner is None, "I6: an ended instance has no owner"
    assert view.wake_at is None, "I6: an ended instance is never due"
    history = [Event(e.seq, e.type, e.at, e.issued, e.trail, e.data) for e in stored]
    assert [event.seq for event in history] == list(range(1, len(history) + 1)), "I3: gapless"
    assert all(a.at <= b.at for a, b in itertools.pairwise(history)), "I3: time never goes back"
    terminal = [event for event in history if event.type in events.TERMINAL]
    assert [event.seq for event in terminal] == [len(history)], "I6: one terminal event, the last"
    assert terminal[0].type == view.status, "I6: the row agrees"
    finals = [ended.command for ended in _ended_steps(history)]
    assert len(finals) == len(set(finals)), "I7: one final result per step"
    assert not inbox, "no message is left behind"
    return history


def ran(view: Any, history: Sequence[Event]) -> bool:
    """Whether its own code came to this end, so that a replay does."""
    unrun = events.decode(history[-1]).unrun
    return view.status != "terminated" and view.started_at is not None and not unrun


def replay_again(workflow: Workflow[..., Any], view: Any, history: list[Event]) -> list[tuple[int, int]]:
    """I19: a fresh replay of the stored history raises no NonDeterminism and ends alike. I12: no timer was early.

    Returns when each timer that fired was due, and when it fired (µs).
    """
    identity = Identity(
        id=view.id, key=view.key, definition=view.definition, version=view.version, started_at=view.started_at
    )
    replay = Replay(
        identity,
        workflow.main(view.input),
        encode_result=workflow.signature.result.encode,
        encode_error=encode_error,
    )
    replay.replaying = True
    replay.start()
    fired = list[tuple[int, int]]()
    for event in history:
        if event.type == events.TIMER_FIRED:
            timer = replay.open.get(events.decode(event).command)
            assert isinstance(timer, StartTimer), "I12: a timer fires once"
            assert event.at >= timer.due, "I12: never before it is due"
            fired.append((timer.due, event.at))
        replay.apply(event)
    assert replay.finish is not None
    if view.status == "completed":
        assert replay.finish.payload.decode() == view.result
    replay.close()
    return fired


def check_bodies(
    history: Sequence[Event],
    bodies: Sequence[Body],
    *,
    faultless: bool,
    refused: bool = False,
    lost: Callable[[Body], float] | None = None,
) -> None:
    """I7, I8: bodies ran for a recorded cause, their results are theirs, and none acted on what was not committed.

    faultless  nothing was done to anything: nobody ran twice
    refused    the database refused a turn of this instance, which its node then forgot and ran again
    lost       from when on (microseconds) nobody may expect this body to end; without it the takeovers of the instance
               are the only cause to run one again, as where no step leaves its owner
    """
    check_results(history, bodies)
    again = Counter((body.command, body.attempt, body.node) for body in bodies)
    assert refused or set(again.values()) <= {1}, (
        f"I8: twice on one node: {[run for run, n in again.items() if n > 1]}"
    )
    _check_attempts(history)
    _check_once(bodies)
    if lost is not None:
        _check_causes(bodies, lost, refused=refused)
        return
    taken = len(list(_decoded(history, events.TAKEN_OVER)))
    nodes: dict[tuple[int, int], set[int]] = {}
    for body in bodies:
        nodes.setdefault((body.command, body.attempt), set()).add(body.node)
    extra = max((len(ran_on) - 1 for ran_on in nodes.values()), default=0)
    assert refused or extra <= (0 if faultless else taken), (
        f"I8: {extra} further runs of a body, {taken} takeovers"
    )


def check_results(history: Sequence[Event], bodies: Sequence[Body]) -> None:
    """I5, I7: results are those of bodies, and no body acted on another. I8: further attempts follow failed ones."""
    results = {
        ended.command: _token(ended.result) for ended in _ended_steps(history) if ended.result is not None
    }
    tokens = set(results.values())
    for body in bodies:
        strange = set(body.given) - tokens
        assert not strange, f"I5: {body.token} acted on {strange}, which is not in the history"
    returned = {(body.command, body.token) for body in bodies}
    for command, token in results.items():
        assert (command, token) in returned, f"I7: no body of command {command} has returned {token}"
    retried = {(e.command, e.attempt) for e in _decoded(history, events.STEP_RETRYING)}
    for body in bodies:
        cause = body.attempt == 1 or (body.command, body.attempt - 1) in retried
        assert cause, f"I8: attempt {body.attempt} of command {body.command} without a cause"


def _check_attempts(history: Sequence[Event]) -> None:
    """I7, I16: a final result is that of the attempt behind the last one that failed, never of an earlier one."""
    failed = Counter(e.command for e in _decoded(history, events.STEP_RETRYING))
    for ended in _ended_steps(history):
        expected = failed[ended.command] + 1
        assert ended.attempt == expected, (
            f"I16: command {ended.command} ended with attempt {ended.attempt}, and {expected} was under way"
        )


def _check_once(bodies: Sequence[Body]) -> None:
    """I8: of an at-most-once step no attempt is begun twice."""
    began = Counter((body.command, body.attempt) for body in bodies if body.once)
    assert set(began.values()) <= {1}, f"I8: at most once, and begun twice: {began}"


def _check_causes(bodies: Sequence[Body], lost: Callable[[Body], float], *, refused: bool) -> None:
    """I8: a body begins again once its last run was lost, and not before."""
    runs: dict[tuple[int, int], list[Body]] = {}
    for body in sorted(bodies, key=lambda body: body.at):
        runs.setdefault((body.command, body.attempt), []).append(body)
    for one, other in (pair for same in runs.values() for pair in itertools.pairwise(same)):
        assert refused or lost(one) <= other.at, (
            f"I8: {other.token} on {other.node}, while {one.node} ran {one.token}"
        )


def check_calls(history: Sequence[Event], calls: Sequence[Call], status: str) -> None:
    """I10, I11: what was acknowledged is in the history once, in the sender's order, or reported as unhandled."""
    received = [e.message for type_ in events.RECEIVED for e in _decoded(history, type_)]
    signals = [e.message for e in _decoded(history, events.SIGNAL)]
    unhandled = [message.message for message in events.decode(history[-1]).unhandled]
    twice = [message for kept in (received, unhandled) for message, n in Counter(kept).items() if n > 1]
    assert not twice, f"I10: there more than once: {twice}"
    there = {*received, *unhandled}
    for call in calls:
        # An order that changes nothing (a second pause) leaves no event.
        obeyed = call.kind in STEERS or (call.kind != "signal" and status in ("cancelled", "terminated"))
        if call.outcome == "ok" and call.kind != "start" and not obeyed:
            assert call.message in there, f"I10: {call.message} was acknowledged and is not there"
    sent = [call.message for call in calls if call.message in signals]
    assert sent == [message for message in signals if message in sent], "I10: not in the sender's order"


def _ended_steps(history: Iterable[Event]) -> list[events.StepEnded]:
    return [events.decode(e) for e in history if e.type in (events.STEP_COMPLETED, events.STEP_FAILED)]


def _decoded(history: Iterable[Event], type_: str) -> Iterable[Any]:
    return (events.decode(event) for event in history if event.type == type_)


def _token(result: Any) -> str:
    return str(msgspec.json.decode(result))
