"""The statements of membership and death."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.simulation.model.tables import Row, is_still
from tests.simulation.model.tasks import TaskStatements

CONVICTION = (
    "{} nodes in a row died while they ran it, and it made no progress in between. On the last one, {}, it was "
    "the only suspect. It goes on when a node serves other code for {}: mend that, or cancel the instance"
)


class NodeStatements(TaskStatements):
    """Who lives, who is declared dead, and what becomes of what the dead held."""

    def register_node(self, name: str, host: str, boot_id: str, home_id: str, *columns: Any) -> list[Row]:
        fence = len(self.tables.nodes) + 1
        self.tables.nodes[fence] = {
            "fence": fence, "name": f"{name}-{fence}", "boot_id": boot_id, "home_id": home_id,
            "roles": columns[1], "queues": columns[2], "definitions": columns[3], "lease": columns[6],
            "code": json.loads(columns[8]), "heartbeat": 0,
            "status": "alive", "seen_at": self.now, "ended_at": None, "declared_by": None, "cause": None,
            "draining_at": None, "grace": None,
        }  # fmt: skip
        return [{"fence": fence, "now": self.now}]

    def heartbeat(self, fence: int, _load: str | None) -> list[Row]:
        node = self.tables.nodes[fence]
        if node["status"] != "alive":
            return []
        node.update(heartbeat=node["heartbeat"] + 1, seen_at=self.now)
        return [{"heartbeat": node["heartbeat"], "now": self.now, **self._leaving(node)}]

    def _leaving(self, node: Row) -> Row:
        return {"draining": node["draining_at"] is not None, "grace": node["grace"]}

    def drain_nodes(self, fences: Sequence[int], grace: float | None) -> list[Row]:
        told = [self.tables.nodes[fence] for fence in fences if self.passes(fence)]
        for node in told:
            node["draining_at"] = self.now if node["draining_at"] is None else node["draining_at"]
            node["grace"] = node["grace"] if grace is None else grace
        return [{"fence": node["fence"], "name": node["name"]} for node in told]

    def watch_nodes(self, me: int, boot_id: str, home_id: str) -> list[Row]:
        return [
            {**{column: node[column] for column in ("fence", "name", "heartbeat", "lease")},
             "neighbour": (node["boot_id"], node["home_id"]) == (boot_id, home_id)}
            for node in self.tables.nodes.values() if node["status"] == "alive" and node["fence"] != me
        ]  # fmt: skip

    def lead(self, me: int, seconds: float) -> list[Row]:
        leader = self.tables.leader
        holds, over = leader["fence"] == me, leader["until"] <= self.now
        if not self.passes(me) or not (holds or over):
            return []
        term = leader["term"] if holds and not over else leader["term"] + 1
        leader.update(fence=me, term=term, until=self.now + round(seconds * 1_000_000))
        return [{"term": term}]

    def is_alive(self, fence: int) -> list[Row]:
        return [{"alive": True}] if self.passes(fence) else []

    def end_node(self, fence: int, status: str, heartbeat: int | None) -> list[Row]:
        node = self.tables.nodes[fence]
        if node["status"] != "alive" or heartbeat not in (None, node["heartbeat"]):
            return []
        node.update(status=status, ended_at=self.now)
        return [{"fence": fence}]

    def declare_node(self, fence: int, heartbeat: int | None, by: int | None, cause: str) -> list[Row]:
        if not self.end_node(fence, "dead", heartbeat):
            return []
        node = self.tables.nodes[fence]
        node.update(declared_by=by, cause=cause)
        return [{"name": node["name"], "silent": node["ended_at"] - node["seen_at"]}]

    def release_instances(self, me: int) -> list[Row]:
        held = self._held(me)
        for row in held:
            row.update(owner=None, lane=0, wake_at=self.now, suspicion=0, lost_owner=None)
        return [{"key": row["key"]} for row in held]

    def free_instances(self, lost: int, counts: bool) -> list[Row]:
        judged = [(row, *self._judged(row, lost, counts=counts)) for row in self._held(lost)]
        suspects = sum(accused and deaths > 1 for _, deaths, accused in judged) + len(self._on_trial(lost))
        return [
            self._freed(row, lost, deaths, counts=accused, convicted=accused and deaths > 2 and suspects == 1)
            for row, deaths, accused in judged
        ]

    def _judged(self, row: Row, lost: int, *, counts: bool) -> tuple[int, bool]:
        """How many deaths are held against it, and whether this one is."""
        still = is_still(self.tables, row)
        accused = counts and not self._at_rest(row, lost, still=still)
        return accused + (min(row["suspicion"], 99) if still else 0), accused

    def _at_rest(self, row: Row, lost: int, *, still: bool) -> bool:
        """Whether nothing of it can have been running."""
        waits = json.loads(row["waits"]) if row["waits"] else []
        dues = [wait["until"] for wait in waits if wait["until"] is not None]
        dues += [] if row["deadline"] is None else [row["deadline"]]
        rebuilt = row["lost_owner"] is not None and self.last_seq(row["key"]) > row["lost_seq"]
        if not rebuilt or self.tables.inbox.get(row["key"]) or any(due <= self.now for due in dues):
            return False
        if still and row["suspicion"] > 1 and row["waits"]:
            return not self._has_begun(row, self.tables.nodes[lost]["name"])
        return (
            row["status"] == "waiting"
            and row["waits"] is not None
            and all(wait["kind"] != "step" for wait in waits)
        )

    def _has_begun(self, row: Row, node: str) -> bool:
        """Whether a body of one that is tried was begun there."""
        return any(
            event["seq"] > row["lost_seq"]
            and event["type"] == "step_started"
            and json.loads(event["data"])["node"] == node
            for event in self.tables.events.get(row["key"], ())
        )

    def _freed(self, row: Row, lost: int, suspicion: int, *, counts: bool, convicted: bool) -> Row:
        row.update(owner=None, lost_owner=lost, lane=2 if suspicion > 1 else 0, suspicion=suspicion)
        row.update(wake_at=None if convicted else self.now, lost_seq=self.last_seq(row["key"]))
        if counts:
            row["suspect_of"] = lost
        row["waits"] = None if row["status"] == "running" else row["waits"]
        if convicted:
            row.update(status="blocked", waits=None, **self._conviction(row, lost, suspicion))
        suspect = counts and suspicion > 1
        return {"key": row["key"], "id": row["id"], "suspect": suspect, "convicted": convicted}

    def _conviction(self, row: Row, lost: int, suspicion: int) -> Row:
        dead = self.tables.nodes[lost]
        message = CONVICTION.format(suspicion, dead["name"], row["definition"])
        digest = dead["code"].get(row["definition"], {}).get("digest", "")
        return {
            "blocked_by": digest,
            "blocked": f'{{"message" : "{message}", "recorded" : "", "asked" : ""}}',
        }

    def count_freed(self, _fence: int, _instances: int, _tasks: int) -> list[Row]:
        return []

    def absolve(self, lost: int) -> list[Row]:
        accused = [
            r for r in self.tables.instances.values() if r["suspect_of"] == lost and r["suspicion"] > 0
        ]
        for row in accused:
            blocked = row["status"] == "blocked" and row["owner"] is None and row["suspicion"] > 2
            lane = 0 if row["lane"] == 2 and row["suspicion"] <= 2 else row["lane"]
            row.update(suspicion=row["suspicion"] - 1, suspect_of=None, lane=lane)
            if blocked:
                row.update(wake_at=self.now, blocked_by=None)
        return [{"key": row["key"]} for row in accused]

    def lost_owners(self) -> list[Row]:
        owners = {row["owner"] for row in self.tables.instances.values()}
        holders = owners | {task["worker"] for task in self.tables.tasks.values()}
        return [{"fence": fence} for fence in sorted(holders - {None}) if not self.passes(fence)]

    def clear_suspicion(self, me: int, keys: Sequence[UUID]) -> list[Row]:
        found = [self.tables.instances[key] for key in keys if key in self.tables.instances]
        held = [row for row in found if row["owner"] == me and row["suspicion"] > 0 and self.passes(me)]
        for row in held:
            row["suspicion"] = 0
        return [{"key": row["key"]} for row in held]

    def note_takeovers(self, me: int, dead: Sequence[int], _instances: Sequence[int]) -> list[Row]:
        return [{"dead": fence} for fence in dead if self.passes(me)]

    def dead_nodes(self, fences: Sequence[int]) -> list[Row]:
        found = [self.tables.nodes[fence] for fence in sorted(fences)]
        return [{column: node[column] for column in ("fence", "name", "seen_at")} for node in found]

    def _held(self, owner: int) -> list[Row]:
        return sorted(
            (r for r in self.tables.instances.values() if r["owner"] == owner), key=lambda r: r["key"]
        )
