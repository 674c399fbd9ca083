"""The guard's program: kills the process groups of a node's children when the node is gone, however it went.

Run by its path, with nothing but the standard library: `python -I -S guard.py`. Reads lines, "+PID" for a group that
exists and "-PID" for one that is over; at the end of its input it kills those that are left. A pid of a child is not
given to anything else while its group has members, so no stranger is hit.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Watch until the node ends."""
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        sign, number = line[:1], line[1:-1]
        if sign == b"+" and line.endswith(b"\n"):
            groups.add(int(number))
        elif line.endswith(b"\n"):
            groups.discard(int(number))
    for group in groups:
        if group > 1:  # 0 and 1 would mean others
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                continue


if __name__ == "__main__":
    main()
