"""The promises, in users' words. Their numbers are the names of tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Promise:
    """`later` says what a promise waits for that the product does not have yet: nothing has to bear its number."""

    number: int
    title: str
    words: str
    later: str = ""

    @property
    def name(self) -> str:
        return f"I{self.number}"


PROMISES: Final = (
    Promise(
        1,
        "Starts are kept",
        "A start that was acknowledged is never lost.",
    ),
    Promise(
        2,
        "One id, one instance",
        "Starting the same id again, however often and from wherever, gives the same instance. With "
        "another workflow or input it is an error.",
    ),
    Promise(
        3,
        "Histories stay",
        "A history has no gaps; nothing in it is ever changed or removed.",
    ),
    Promise(
        4,
        "One owner",
        "Only the node that runs an instance writes its history. A node that was declared dead never "
        "writes again.",
    ),
    Promise(
        5,
        "No guessing",
        "If the connection is lost while PostgreSQL commits, the node looks up what became of it before "
        "it goes on.",
    ),
    Promise(
        6,
        "One end",
        "An instance ends once, nothing follows, and its status says the same as its history.",
    ),
    Promise(
        7,
        "One result",
        "A step has one final result. Whatever is replayed gets that result, and the body is not called.",
    ),
    Promise(
        8,
        "Bodies run once, or for a reason",
        "The body of a step runs at least once, and again only after a retry, a takeover or a node that "
        "stood still beyond its lease, which the history says. Without faults it runs exactly once.",
    ),
    Promise(
        9,
        "Transactions",
        "What a transactional step writes takes effect exactly once.",
    ),
    Promise(
        10,
        "Signals arrive",
        "An acknowledged signal is in the history exactly once, and those of one sender are in their order.",
    ),
    Promise(
        11,
        "Nothing is dropped at the end",
        "A signal or a cancel that races with the end is handled, or the history lists it as unhandled.",
    ),
    Promise(
        12,
        "Timers",
        "A timer fires once, never early by the database's clock, and at most two seconds late; after an "
        "outage, at most that long and a lease later. One that fails does not hold up the others.",
    ),
    Promise(
        13,
        "Schedules",
        "A schedule fires once for each tick.",
        later="schedules are not there yet",
    ),
    Promise(
        14,
        "Takeover",
        "What a dead node held goes on within 13 seconds, up to 10,000 instances, and within 3 seconds of "
        "a restart on the same machine. A node that gives signs of life is never taken over, whatever the "
        "load, an outage of the database or its clock.",
    ),
    Promise(
        15,
        "Who cannot tell does not act",
        "A node that cannot renew its lease starts no more bodies, and what it still writes is refused.",
    ),
    Promise(
        16,
        "One claim",
        "A queued step is claimed by one node at a time, and only the current claim's result counts.",
    ),
    Promise(
        17,
        "Limits of concurrency and rate",
        "They are never exceeded, and the slots of the dead come back.",
        later="limits across nodes are not there yet",
    ),
    Promise(
        18,
        "Poison is isolated",
        "An instance or step that kills its nodes is blocked alone, after three nodes at most; its "
        "neighbours never are.",
    ),
    Promise(
        19,
        "Replay",
        "Code that does not fit its history parks the instance with both sides shown, and corrupts nothing.",
    ),
    Promise(
        20,
        "Cancel and terminate",
        "They work within 5 seconds, whatever the instance is doing.",
    ),
    Promise(
        21,
        "Hints are only hints",
        "All of this holds without notifications between nodes, and behind a pooler, only a poll later.",
    ),
    Promise(
        22,
        "Bounds",
        "What is too large is refused before anything is written, and memory is bounded.",
    ),
    Promise(
        23,
        "It heals",
        "After the last fault everything goes on without anybody's help, within 60 seconds plus the work "
        "itself.",
    ),
)
