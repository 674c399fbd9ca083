"""The statements that run often, or with many rows in the tables: how they are called, and what they must use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from tests.store.plans.filling import DEAD, ME, MILLION, MINE, OF_LANE, OTHER, key_of


class Where(Enum):
    """On which connection a statement runs: it decides how it is planned before the first ANALYZE.

    fenced  behind the opening of the node's fence; the plan may be kept
    held    on a connection that a node holds; the plan may be kept
    pool    on one of the pool, where each execution is planned anew
    """

    FENCED = "fenced"
    HELD = "held"
    POOL = "pool"


@dataclass(frozen=True)
class Case:
    """One way to call a statement, and what it may cost with a million rows.

    indexes  of the large tables that its plan may use, and no other
    whole    large tables that it may read from end to end
    pages    that it may touch
    """

    statement: str
    label: str
    where: Where
    arguments: tuple[Any, ...]
    indexes: frozenset[str]
    pages: int
    whole: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.statement} {self.label}".strip()


def _case(
    statement: str,
    where: Where,
    *arguments: Any,
    by: str,
    pages: int = 3_000,
    label: str = "",
    whole: str = "",
) -> Case:
    return Case(statement, label, where, arguments, frozenset(by.split()), pages, frozenset(whole.split()))


FENCED, HELD, POOL = Where
BATCH: Final = 200
SOME: Final = [key_of(4_000 * n + 57) for n in range(1, BATCH + 1)]  # parked, with a history and tasks
HELD_HERE: Final = [key_of(MILLION + 4 * OF_LANE + n) for n in range(1, MINE + 1)]
TAKEN: Final = [key_of(MILLION + 1 + 5 * n) for n in range(BATCH)]  # whose task this node has taken
PAUSED: Final = [key_of(4_000 * n + 97) for n in range(1, BATCH + 1)]
NEW: Final = [key_of(2 * MILLION + n) for n in range(BATCH)]
ONE: Final = [1] * BATCH
NOBODY: Final = [None] * BATCH
PAGE: Final = 50
OPEN: Final = ["pending", "running", "waiting", "paused", "blocked"]
KEYS: Final = "instances_pkey"
EITHER: Final = "instances_pkey instances_open"
TABLE: Final = 50_000  # pages: a table of a million rows from end to end
MOMENT: Final = "2026-01-01 00:00:00+00"
MICROS: Final = 1_767_225_600_000_000  # the same


def _columns(*values: Any) -> tuple[list[Any], ...]:
    return tuple([value] * BATCH for value in values)


def _joined(payload: str) -> str:
    """The payloads of a batch as the journal sends them: as one text."""
    return "\x1e".join([payload] * BATCH)


CLAIMS: Final = (
    *(
        _case(
            "claim_due", FENCED, ME, ["order", "invoice"], lanes, [BATCH] * len(lanes), ["", ""], BATCH,
            by="instances_due instances_pkey", pages=12_000, label=f"lanes {lanes}",
        )
        for lanes in ([0, 1], [1], [2])
    ),
    _case(
        "claim_due", FENCED, ME, ["rare"], [0, 1], [BATCH, BATCH], [""], BATCH,
        by="instances_due instances_pkey", pages=200, label="nothing",
    ),
    _case("claim_orders", FENCED, ME, BATCH, by="inbox_orders instances_pkey"),
    _case("claim_overdue", FENCED, ME, BATCH, by="instances_deadline instances_pkey"),
    _case("clear_suspicion", FENCED, ME, HELD_HERE, by="instances_pkey instances_owned instances_suspects"),
    _case(
        "claim_tasks", FENCED, ME, ["async", "thread"], [BATCH, 8], ["charge"], None, [], [], [],
        by="tasks_due tasks_pkey tasks_claimed tasks_suspects instances_pkey", pages=9_000,
    ),
    _case("claim_failed", FENCED, ME, BATCH, by="tasks_lost tasks_expiring tasks_pkey instances_pkey", pages=12_000),
    _case(
        "complete_tasks", FENCED, ME, TAKEN, ONE, ONE, *_columns("step", "charge"), [f"r{n}" for n in range(BATCH)],
        *_columns("1", True), by="instances_pkey tasks_pkey tasks_claimed", pages=12_000,
    ),
    _case("return_tasks", FENCED, ME, TAKEN, ONE, *_columns(MOMENT), by="tasks_pkey tasks_claimed instances_pkey"),
    _case("note_takeovers", FENCED, ME, [DEAD], [7], [3], by=""),
)  # fmt: skip
WRITES: Final = (
    _case(
        "insert_owned", FENCED, ME, NEW, [f"new-{n}" for n in range(BATCH)],
        *_columns("order", "1", 2, MICROS, "me"), _joined("[]"), *_columns(b"x"), by="", pages=9_000,
    ),
    _case("lock_instances", FENCED, HELD_HERE, by="instances_pkey"),
    _case("insert_events", FENCED, ME, HELD_HERE, ONE, *_columns("step_completed", MICROS, 1, 1), _joined("{}"), by=""),
    _case("set_deadlines", FENCED, ME, HELD_HERE, *_columns(MOMENT), by="instances_pkey", pages=9_000),
    _case(
        "update_instances", FENCED, ME, HELD_HERE, *_columns("waiting", True, MICROS), _joined("[]"),
        None, None, None, None, None, by="instances_pkey", pages=9_000,
    ),
    _case("delete_leftovers", FENCED, ME, SOME, by="tasks_pkey inbox_pkey", pages=6_000),
    _case("delete_messages", FENCED, ME, HELD_HERE, ONE, by="inbox_pkey"),
    _case("delete_tasks", FENCED, ME, SOME, ONE, by="tasks_pkey"),
    _case("hold_tasks", FENCED, ME, SOME, *_columns(True), by="tasks_pkey tasks_due", pages=12_000),
    _case(
        "insert_tasks", FENCED, ME, HELD_HERE, ONE,
        *_columns("charge", "default", "async", 1, 1, MOMENT, MOMENT, False, "[]", "{}"), None, None,
        by="instances_pkey events_pkey", pages=9_000,
    ),
    _case("last_events", FENCED, SOME, by="instances_pkey events_pkey"),
    _case("is_alive", FENCED, ME, by="", pages=20),
    _case(
        "step_result", FENCED, ME, HELD_HERE[0], "m", "charge", "1",
        by="instances_pkey instances_owned inbox_pkey", pages=100,
    ),
    _case(
        "task_result", FENCED, ME, TAKEN[0], "m", "charge", "1", 1, 1,
        by="instances_pkey tasks_pkey tasks_claimed", pages=100,
    ),
    _case(
        "write_progress", POOL, ME, SOME, ONE, ONE, *_columns(0.5, 1.0, "note", None), by="", pages=6_000
    ),
    _case("delete_progress", POOL, ME, SOME, ONE, by=""),
    _case("insert_logs", POOL, SOME, *_columns(MOMENT, 20, 1, "shop", "charge", "text", None, 10), "node", 1_000_000,
          by="instances_pkey logs_pkey", pages=6_000),
)  # fmt: skip
HOLDINGS: Final = (
    _case("owned", FENCED, ME, by="instances_owned events_pkey"),
    _case("release_instances", FENCED, ME, by="instances_owned instances_pkey", pages=9_000),
    _case(
        "free_instances", FENCED, ME, True,
        by="instances_owned instances_pkey events_pkey inbox_pkey nodes_pkey tasks_claimed tasks_suspects",
        pages=12_000,
    ),
    _case("free_tasks", FENCED, ME, True, [], by="tasks_claimed tasks_pkey instances_pkey", pages=9_000),
    _case("histories", HELD, SOME, by="events_pkey tasks_pkey inbox_pkey", pages=6_000),
    _case("mail_of_node", HELD, ME, by="instances_owned instances_pkey inbox_pkey", whole="inbox"),
    _case("held_tasks", HELD, ME, by="tasks_claimed"),
    _case(
        "wake_blocked", HELD, "order", "digest",
        by="instances_blocked instances_open instances_pkey", pages=20_000, label="nothing",
    ),
    _case("absolve", FENCED, DEAD, by="instances_suspects instances_pkey", pages=90_000),
    _case("absolve_tasks", FENCED, DEAD, by="tasks_suspects tasks_pkey"),
    _case("lost_owners", POOL, by="instances_owned tasks_claimed", pages=200),
)  # fmt: skip
MESSAGES: Final = (
    _case(
        "start_pending", POOL, NEW, [f"new-{n}" for n in range(BATCH)], *_columns("order", "1", 2, "me"),
        *_columns("[]", b"x", None), by="", pages=9_000,
    ),
    _case("ends_of", POOL, SOME, by="instances_pkey"),
    _case(
        "send_messages", POOL, SOME, *_columns("signal", "note"), [f"m{n}" for n in range(BATCH)], *_columns("1"),
        by="instances_pkey inbox_pkey inbox_orders", pages=12_000,
    ),
    _case("instance_by_id", POOL, "order-1234", by="instances_id", pages=50),
    _case("instances_by_key", POOL, SOME, by="instances_pkey"),
    _case("inbox_of", POOL, PAUSED[0], by="inbox_pkey", pages=200),
    _case("step_result_there", POOL, SOME[0], "m", 1, by="inbox_pkey events_pkey", pages=50),
    _case("progress_of", POOL, SOME, by=""),
)  # fmt: skip
PAGES: Final = (
    _case("events_of", POOL, SOME[0], 0, 1000, by="events_pkey", pages=50),
    _case("web_events", POOL, SOME[:PAGE], [0] * PAGE, 2000, by="events_pkey"),
    _case("web_activity", POOL, SOME[:PAGE], 24, by="events_pkey"),
    _case("web_steps_by_node", POOL, SOME[0], by="events_pkey", pages=50),
    _case("logs_of", POOL, key_of(25), 0, 20, None, 200, by="logs_pkey", pages=50),
    _case("logs_tail", POOL, key_of(25), 0, 20, None, 200, by="logs_pkey", pages=50),
    _case("logging_steps", POOL, key_of(25), by="logs_pkey", pages=50),
    _case("findings_of", POOL, SOME[:PAGE], "orquestrax.replay", by="logs_pkey"),
    _case("count_instances", POOL, by="instances_open instances_pkey", pages=40_000),
    *(
        _case(list_, POOL, statuses, definition, keys, before, PAGE, by=by, pages=pages, label=label, whole=whole)
        for list_ in ("web_list", "list_instances")
        for label, statuses, definition, keys, before, by, pages, whole in (
            ("all", None, None, None, None, KEYS, 500, ""),
            ("next page", None, None, None, SOME[100], KEYS, 500, ""),
            ("definition", None, "invoice", None, None, KEYS, 3_000, ""),
            ("completed", ["completed"], None, None, None, KEYS, 500, ""),
            ("waiting", ["waiting"], None, None, None, EITHER, 500, ""),
            ("paused", ["paused"], None, None, SOME[100], EITHER, 1_000, ""),
            ("terminated", ["terminated"], None, None, None, EITHER, 500, ""),
            ("open", OPEN, None, None, None, EITHER, 500, ""),
            ("of keys", None, None, SOME[:PAGE], None, KEYS, 1_000, ""),
            # No index has the definitions of all instances: it would cost every start and every end. Of one that is
            # seldom used the list goes back through the keys as far as it must.
            ("rare definition", None, "rare", None, None, KEYS, TABLE, "instances"),
            ("unknown definition", None, "unknown", None, None, KEYS, TABLE, "instances"),
            ("failed of a rare definition", ["failed"], "rare", None, None, EITHER, TABLE, "instances"),
        )
    ),
    *(
        _case(
            "search_keys", POOL, what, None, None, None, PAGE,
            by="instances_id instances_pkey", pages=30_000, label=what, whole="instances",  # 10,000 rows of it
        )
        for what in ("order-77777", "order-", "nothing")
    ),
    _case("queues", POOL, by="tasks_due tasks_claimed", pages=TABLE, whole="tasks"),
)  # fmt: skip
NODES: Final = (
    _case("heartbeat", POOL, ME, "{}", by="", pages=50),
    _case("watch_nodes", POOL, ME, "boot", "home", by="", pages=50),
    _case("siblings", POOL, "boot", "home", ME, "host", by="", pages=50),
    _case("peers", HELD, ME, by="", pages=50),
    _case("dead_nodes", HELD, [DEAD, OTHER], by="", pages=50),
    _case("lead", POOL, ME, 10, by="", pages=50),
    _case("list_nodes", POOL, by="", pages=50),
    _case("takeovers", POOL, [DEAD], by="", pages=50),
    _case("sweep_progress", POOL, ME, by="instances_pkey", pages=60_000),
)  # fmt: skip
HOT: Final = (*CLAIMS, *WRITES, *HOLDINGS, *MESSAGES, *PAGES, *NODES)
ENGINE: Final = (*CLAIMS, *WRITES, *HOLDINGS, *MESSAGES)  # what the engine itself cannot do without
