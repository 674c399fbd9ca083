"""The faults, one file each. `begin` lets it strike, `heal` ends it; in between it may be at work."""

from __future__ import annotations

from typing import Final

from tests.chaos.faults.clocks import Clocks
from tests.chaos.faults.commits import Commits
from tests.chaos.faults.drained import Drained
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.frozen import Frozen
from tests.chaos.faults.hints import HintsOff
from tests.chaos.faults.killed import Killed, KilledAll, KilledInTakeover
from tests.chaos.faults.partition import Partition
from tests.chaos.faults.poison import Poison
from tests.chaos.faults.postgres import PostgresKilled

FAULTS: Final[dict[str, type[Fault]]] = {
    "clocks": Clocks,
    "commits": Commits,
    "drained": Drained,
    "frozen": Frozen,
    "hints": HintsOff,
    "killed": Killed,
    "killed all": KilledAll,
    "killed in takeover": KilledInTakeover,
    "partition": Partition,
    "poison": Poison,
    "postgres": PostgresKilled,
}
