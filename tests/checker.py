"""The checker: judges a stored instance by its history, whatever was done to the nodes that ran it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from orquestrax.base.codec import encode_error
from orquestrax.client.client import Client
from orquestrax.define.workflow import Workflow
from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.model.states import TERMINAL
from orquestrax.replay.instance import Identity, Replay


async def check_instance(client: Client, workflow: Workflow[..., Any], id_: str) -> list[Event]:
    """Assert I3, I6, I7 and I19 for an ended instance; returns its history."""
    view = await client.view(id_)
    assert view.status in TERMINAL
    assert view.owner is None
    assert view.wake_at is None
    stored = await client.store.events(view.key, limit=1_000_000)
    history = [Event(e.seq, e.type, e.at, e.issued, e.trail, e.data) for e in stored]
    assert [event.seq for event in history] == list(range(1, len(history) + 1)), "I3: gapless"
    assert all(a.at <= b.at for a, b in itertools.pairwise(history)), "I3: time never goes back"
    terminal = [event for event in history if event.type in events.TERMINAL]
    assert [event.seq for event in terminal] == [len(history)], "I6: one terminal event, the last"
    assert terminal[0].type == view.status, "I6: the row agrees"
    finals = [
        events.decode(e).command for e in history if e.type in (events.STEP_COMPLETED, events.STEP_FAILED)
    ]
    assert len(finals) == len(set(finals)), "I7: one final result per step"
    assert await client.store.inbox(view.key) == [], "no message is left behind"
    unrun = events.decode(terminal[0]).unrun  # no code came to this end
    if view.status != "terminated" and view.started_at is not None and not unrun:
        await asyncio.get_running_loop().run_in_executor(None, replay_again, workflow, view, history)
    return history


def replay_again(workflow: Workflow[..., Any], view: Any, history: list[Event]) -> None:
    """I19: a fresh replay of the stored history raises no NonDeterminism and ends alike."""
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
    for event in history:
        replay.apply(event)
    assert replay.finish is not None
    if view.status == "completed":
        assert replay.finish.payload.decode() == view.result
    replay.close()
