"""The statements of the cluster's queues. Among tasks that are due alike the one with the lesser key comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from orquestrax.core.suspects import ALONE
from tests.simulation.model.tables import ENDED, Model, Row, is_still, unnest

NEVER: Final = float("inf")
MINUTE: Final = 60_000_000  # microseconds after which a step is under suspicion no more
COLUMNS: Final = (
    "instance", "command", "attempt", "step", "queue", "executor", "options", "input", "asked_at", "first_at",
    "started_at",
)  # fmt: skip
KIND: Final = itemgetter("queue", "executor", "step")


class TaskStatements(Model):
    """Tasks put in by owners, taken and told by workers, freed when one of them ends."""

    # -- the journal's -----------------------------------------------------------------------------------------------

    def insert_tasks(self, me: int, *columns: Sequence[Any] | None) -> list[Row]:
        names = ("instance", "command", "step", "queue", "executor", "lane", "attempt", "asked_at", "first_at", "once",
                 "input", "options", "expires_at", "expiry")  # fmt: skip
        written = []
        for values in unnest(columns):
            task = dict(zip(names, values, strict=True))
            if self.passes(me) and task["instance"] in self.tables.instances:
                task.update(available_at=self.now, worker=None, started_at=None, lost=None, lost_worker=None)
                task.update(self._carried(self.tables.instances[task["instance"]], task["lane"]))
                self.tables.tasks[task["instance"], task["command"]] = task
                written.append(task)
        return written

    def _carried(self, row: Row, lane: int) -> Row:
        """What a step has of its instance."""
        deaths = row["suspicion"] if is_still(self.tables, row) else 0
        return {
            "priority": row["priority"], "lane": ALONE if deaths > 1 else lane, "suspicion": deaths,
            "suspect_of": row["suspect_of"] if deaths else None,
        }  # fmt: skip

    def delete_tasks(self, me: int, keys: Sequence[UUID], commands: Sequence[int]) -> list[Row]:
        there = [key for key in zip(keys, commands, strict=True) if key in self.tables.tasks]
        return [self.tables.tasks.pop(key) for key in there if self.passes(me)]

    def hold_tasks(self, me: int, keys: Sequence[UUID], paused: Sequence[bool]) -> list[Row]:
        held = dict(zip(keys, paused, strict=True))
        return [
            self._changed(task, available_at=NEVER if held[task["instance"]] else self.now)
            for task in self._tasks(lambda t: t["instance"] in held and t["worker"] is None and t["lost"] is None)
            if self.passes(me)
        ]  # fmt: skip

    # -- the workers' ------------------------------------------------------------------------------------------------

    def claim_tasks(
        self,
        me: int,
        executors: Sequence[str],
        free: Sequence[int],
        steps: Sequence[str],
        queues: Sequence[str] | None,
        narrow_queues: Sequence[str],
        narrow_free: Sequence[int],
        suspects: Sequence[UUID],
    ) -> list[Row]:
        room = dict(zip(executors, free, strict=True))
        narrow = dict(zip(narrow_queues, narrow_free, strict=True))

        def allowed(task: Row) -> int:
            return narrow.get(task["queue"], room[task["executor"]])

        found = [
            task for task in self._tasks(lambda t: t["worker"] is None and t["lost"] is None)
            if task["available_at"] <= self.now and task["executor"] in room and task["step"] in steps
            and (queues is None or task["queue"] in queues)
        ]  # fmt: skip
        found = _first(found, KIND, lambda task: min(room[task["executor"]], allowed(task)))
        found = _first(found, lambda task: task["queue"], allowed)
        alone = next(iter(sorted((t for t in found if t["lane"] == ALONE), key=_soonest)), None)
        found = _first(found, lambda task: task["executor"], lambda task: room[task["executor"]])
        busy = bool(self._on_trial(me)) or any(t["lane"] < ALONE and t["suspicion"] > 0 for t in found)
        busy = busy or (alone is not None and any(key != alone["instance"] for key in suspects))
        return [
            self._claimed_task(me, task)
            for task in found
            if self.passes(me) and (task["lane"] < ALONE or (task is alone and not busy))
        ]

    def _claimed_task(self, me: int, task: Row) -> Row:
        told = {column: task[column] for column in ("suspicion", "lost_worker")}
        return self._taken(self._changed(task, worker=me, started_at=self.now, lost_worker=None), **told)

    def _taken(self, task: Row, **more: Any) -> Row:
        """What a claim returns of a task."""
        row = self.tables.instances[task["instance"]]
        about = {"instance_id": row["id"], "definition": row["definition"], "owner": row["owner"]}
        kept = {column: task[column] for column in COLUMNS}
        return {**kept, **about, "lost": None, "expiry": None, "spoke": None, "heartbeat": None, **more}

    def claim_failed(self, me: int, limit: int) -> list[Row]:
        waiting = self._tasks(lambda t: t["worker"] is None)
        lost = [task for task in waiting if task["lost"] is not None][:limit]
        late = [
            t
            for t in waiting
            if t["lost"] is None and t["expires_at"] is not None and t["expires_at"] <= self.now
        ]
        late = sorted(late, key=lambda task: task["expires_at"])[:limit]
        return [self._failed(me, task, late=task in late) for task in (*lost, *late) if self.passes(me)]

    def _failed(self, me: int, task: Row, *, late: bool) -> Row:
        lost = task["lost"]
        name = self.tables.nodes[lost]["name"] if lost is not None else None
        return self._taken(
            self._changed(task, worker=me),
            lost=name,
            expiry=task["expiry"] if late else None,
            suspicion=task["suspicion"],
        )

    def complete_tasks(self, me: int, *columns: Sequence[Any]) -> list[Row]:
        told = [message for message in unnest(columns) if self._is_mine(me, *message[:3])]
        owners: dict[UUID, int | None] = {}
        for instance, command, _attempt, kind, step, message, payload, ends in told:
            row = self.tables.instances[instance]
            if ends:
                self.tables.tasks.pop((instance, command), None)
            if row["status"] not in ENDED:
                self._mailed(row, kind, step, message, payload)
                owners[instance] = row["owner"]
        return [{"instance": m[0], "command": m[1], "attempt": m[2], "owner": owners.get(m[0])} for m in told]

    def _is_mine(self, me: int, instance: UUID, command: int, attempt: int) -> bool:
        task = self.tables.tasks.get((instance, command))
        return task is not None and (task["worker"], task["attempt"]) == (me, attempt) and self.passes(me)

    def _mailed(self, row: Row, kind: str, name: str, message: str, payload: str) -> None:
        row["mail"] += 1
        if row["owner"] is None:
            row["lane"] = row["lane"] if row["lane"] == ALONE else 0
            if row["status"] not in ("paused", "blocked"):
                row["wake_at"] = self.now
        said = {"number": row["mail"], "kind": kind, "name": name, "message": message, "payload": payload}
        self.tables.inbox.setdefault(row["key"], {})[row["mail"]] = said

    def return_tasks(
        self, me: int, keys: Sequence[UUID], commands: Sequence[int], taken_at: Sequence[int | None]
    ) -> list[Row]:
        back = set(zip(keys, commands, taken_at, strict=True))
        mine = self._tasks(
            lambda t: (t["instance"], t["command"], t["started_at"]) in back and t["worker"] == me
        )
        for task in mine if self.passes(me) else ():
            paused = self.tables.instances[task["instance"]]["status"] == "paused"
            due = NEVER if paused else task["available_at"]
            lane = 2 if task["lane"] == 2 else 0
            self._changed(task, worker=None, started_at=None, lane=lane, available_at=due)
        return [{"instance": t["instance"], "command": t["command"]} for t in mine if self.passes(me)]

    def held_tasks(self, me: int) -> list[Row]:
        return [
            {column: task[column] for column in ("instance", "command", "attempt", "started_at")}
            for task in self._tasks(lambda t: t["worker"] == me)
        ]

    def peers(self, me: int) -> list[Row]:
        others = [node for fence, node in sorted(self.tables.nodes.items()) if fence != me]
        return [{"queues": n["queues"]} for n in others if n["status"] == "alive" and "worker" in n["roles"]]

    # -- the end of a worker -----------------------------------------------------------------------------------------

    def free_tasks(self, worker: int, counts: bool, instances: Sequence[UUID]) -> list[Row]:
        held = self._tasks(lambda task: task["worker"] == worker)
        for task in held:
            if task["lost"] is None:
                task["suspicion"] = counts + (
                    min(task["suspicion"], 99) if task in self._on_trial(worker) else 0
                )
                task["suspect_of"] = worker if counts else task["suspect_of"]
        accused = sum(task["suspicion"] > 1 and task["lost"] is None for task in held)
        for task in held:
            told, deaths = task["lost"] is not None, task["suspicion"]
            died = self.tables.nodes[worker]["status"] == "dead"
            suspects = accused + sum(key != task["instance"] for key in instances)
            lost = told or task["once"] or (counts and deaths > 2 and suspects == 1)
            paused = self.tables.instances[task["instance"]]["status"] == "paused"
            self._changed(
                task, worker=None, lane=2 if deaths > 1 else 0, available_at=NEVER if paused else self.now,
                lost_worker=worker if died else None,
                lost=(task["lost"] or worker) if lost else None, started_at=task["started_at"] if lost else None,
            )  # fmt: skip
        return held

    def absolve_tasks(self, worker: int) -> list[Row]:
        accused = self._tasks(lambda task: task["suspect_of"] == worker and task["suspicion"] > 0)
        for task in accused:
            convicted = task["lost"] is not None and not task["once"] and task["worker"] is None
            lane = 0 if task["lane"] == 2 and task["suspicion"] <= 2 else task["lane"]
            task.update(suspicion=task["suspicion"] - 1, suspect_of=None, lane=lane)
            if convicted:
                task.update(lost=None, started_at=None)
        return [{"instance": task["instance"]} for task in accused]

    def _on_trial(self, worker: int) -> list[Row]:
        """Suspects that this node has taken, and that have not run for a minute yet."""
        since = self.now - MINUTE
        return [
            task for task in self._tasks(lambda t: t["worker"] == worker and t["lost"] is None)
            if task["suspicion"] > 0 and task["started_at"] is not None and task["started_at"] > since
        ]  # fmt: skip

    def _tasks(self, which: Callable[[Row], bool]) -> list[Row]:
        """Those of which it is so, by key."""
        if not self.tables.tasks:
            return []
        return [task for _, task in sorted(self.tables.tasks.items()) if which(task)]

    def _changed(self, task: Row, **columns: Any) -> Row:
        task.update(columns)
        return task


def _soonest(task: Row) -> tuple[Any, ...]:
    return task["lane"], task["priority"], task["available_at"], task["instance"], task["command"]


def _first(tasks: Iterable[Row], group: Callable[[Row], Any], most: Callable[[Row], int]) -> list[Row]:
    """Of each group the first ones, as many as there may be."""
    counts, found = Counter[Any](), list[Row]()
    for task in sorted(tasks, key=_soonest):
        counts[group(task)] += 1
        if counts[group(task)] <= most(task):
            found.append(task)
    return found
