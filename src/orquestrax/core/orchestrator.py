"""The orchestrator: from a claimed or started instance to its end.

    start, claim ─▶ turn (replay) ─▶ journal ─▶ act: dispatch steps, arm timers
    intake.py        ▲ execution.py    turns.py           │
                     └── outcome, timer, message ◀────────┘
                                happenings.py

Invariant: everything here runs in plain callbacks of the node's loop, never inside a Task, because workflow code
must not run there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from orquestrax.base.clock import DatabaseClock
from orquestrax.core.dispatcher import Dispatcher, Runner
from orquestrax.core.happenings import Happenings
from orquestrax.core.intake import Intake
from orquestrax.core.journal import Journal
from orquestrax.core.memory import Ending, Memory
from orquestrax.core.peers import Peers
from orquestrax.core.timers import Timers
from orquestrax.core.turns import Turns
from orquestrax.define.workflow import Workflow
from orquestrax.model.jobs import Job, Outcome
from orquestrax.model.options import Executor


class Orchestrator:
    """Owns the instances that this node holds in memory; puts together what drives them.

    on_changed(key)        after a commit that others may want to see
    on_ended(key)          after the one with which an instance has ended
    on_left(key, ending)   an instance left this memory
    on_evicted(key)        a row that is still mine, or may be, is not in memory
    on_mail()              there is mail that has not been read
    on_due()               something is due for whoever claims it
    on_queued(new, withdrawn)  the cluster's queues have changed
    on_claimed(job, outcome)   an attempt that was taken from a queue has ended
    on_free(executor)          a slot is free for which more may wait in the cluster's queues
    """

    def __init__(
        self,
        *,
        node: str,
        workflows: Mapping[str, Workflow[..., Any]],
        clock: DatabaseClock,
        journal: Journal,
        runner: Runner,
        park_after: float = 30.0,
        on_changed: Callable[[UUID], None] = lambda _key: None,
        on_ended: Callable[[UUID], None] = lambda _key: None,
        on_left: Callable[[UUID, Ending], None] = lambda _key, _ending: None,
        on_mail: Callable[[], None] = lambda: None,
        on_due: Callable[[], None] = lambda: None,
        on_evicted: Callable[[UUID], None] = lambda _key: None,
        on_queued: Callable[[bool, bool], None] = lambda _new, _withdrawn: None,
        peers: Peers | None = None,
        on_claimed: Callable[[Job, Outcome], None] = lambda _job, _outcome: None,
        on_free: Callable[[Executor], None] = lambda _executor: None,
    ) -> None:
        self.workflows = workflows
        self.memory = Memory(on_left)
        self._on_claimed = on_claimed
        self.dispatcher = Dispatcher(runner, clock, self._outcome, peers=peers, on_free=on_free)
        self._timers = Timers(clock, lambda instance, command: self._happenings.due(instance, command))
        self.turns = Turns(
            node=node,
            memory=self.memory,
            clock=clock,
            journal=journal,
            dispatcher=self.dispatcher,
            timers=self._timers,
            park_after=park_after,
            on_changed=on_changed,
            on_ended=on_ended,
            on_mail=on_mail,
            on_due=on_due,
            on_evicted=on_evicted,
            on_queued=on_queued,
        )
        self._happenings = Happenings(self.turns)
        self._intake = Intake(self.turns, self._happenings, workflows)
        self.start, self.adopt = self._intake.start, self._intake.adopt
        self.drain = self.turns.drain
        self.mail, self.long_step = self._happenings.mail, self._happenings.long_step
        self.overflow = self._happenings.overflow

    def _outcome(self, job: Job, outcome: Outcome) -> bool:
        """To the instance here, or to whoever sends it to the instance elsewhere."""
        if job.claimed:
            self._on_claimed(job, outcome)
            return True
        return self._happenings.outcome(job, outcome)

    def close(self) -> None:
        """Drop everything from memory: at a stop, or when this node was declared dead."""
        self._timers.stop()
        for execution in list(self.memory.executions.values()):
            self.turns.forget(execution)
