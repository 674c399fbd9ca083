"""A node's process for tests to kill: it runs bodies that never end, tells their pids in a folder, and waits.

python owner.py FOLDER STEP
"""

from __future__ import annotations

import asyncio
import sys

from tests.processes import bodies
from tests.processes.conftest import Rig


async def main(folder: str, step: str) -> None:
    rig = Rig(slots={"process": 2})
    rig.start(getattr(bodies, step), folder)
    await rig.run(bodies.whoami)  # the second child is idle from then on
    bodies.note(folder, "idle", rig.pool._idle[0].pid)
    bodies.note(folder, "guard", rig.pool._warden._guard.pid)
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
