"""What random programs do on this Python: each is checked against its own asyncio, and its history condensed.

`python -m tests.unit.replay.across FIRST LAST 3.11` prints a JSON object: for each seed, a number that is the same
on two Pythons only if outcome, trace and history are. The last argument is the Python whose constructs are used.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from zlib import crc32

import msgspec
from tests.unit.replay.driver import check
from tests.unit.replay.programs import seeded


def condensed(first: int, last: int, version: tuple[int, int]) -> dict[str, int]:
    """The seeds' numbers."""
    return {str(seed): _condense(seed, version) for seed in range(first, last)}


def _condense(seed: int, version: tuple[int, int]) -> int:
    ran = check(seeded(seed, version))
    events = [msgspec.structs.astuple(event) for event in ran.history]
    return crc32(repr((ran.outcome, ran.trace, events)).encode())


def main(first: str, last: str, version: str) -> None:
    logging.getLogger("orquestrax.workflow").disabled = True
    warnings.simplefilter("ignore", RuntimeWarning)  # coroutines that were cancelled before they began
    major, _, minor = version.partition(".")
    print(json.dumps(condensed(int(first), int(last), (int(major), int(minor)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
