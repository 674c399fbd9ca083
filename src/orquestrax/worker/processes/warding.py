"""The guard of a pool: a tiny process that outlives the node for the moment it takes to kill its children's groups.

The system kills a child whose node has ended, but not what that child had started; and elsewhere than on Linux it
kills nobody.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROGRAM: Final = str(Path(__file__).with_name("guard.py"))
_PATIENCE: Final = 5.0


class Warden:
    """Knows the groups that exist; started with the first of them."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._guard: subprocess.Popen[bytes] | None = None

    def add(self, group: int) -> None:
        """A group that must not outlive this process."""
        self._groups.add(group)
        self._say(f"+{group}\n")

    def remove(self, group: int) -> None:
        """A group that is over."""
        self._groups.discard(group)
        if self._guard is not None:
            self._say(f"-{group}\n")

    def close(self) -> None:
        """End the guard; what it still knows of is killed."""
        guard, self._guard = self._guard, None
        if guard is not None:
            assert guard.stdin is not None
            with suppress(OSError):
                guard.stdin.close()
            guard.wait(_PATIENCE)

    def _say(self, line: str) -> None:
        """Tell the guard; one that was killed is followed by another, which is told everything."""
        if self._guard is None:
            self._start()
        elif not self._write(line):
            self._guard.wait(_PATIENCE)
            self._start()

    def _start(self) -> None:
        self._guard = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
            cwd="/",
        )
        self._write("".join(f"+{group}\n" for group in self._groups))

    def _write(self, text: str) -> bool:
        assert self._guard is not None
        assert self._guard.stdin is not None
        try:
            self._guard.stdin.write(text.encode())
            self._guard.stdin.flush()
        except OSError:
            with suppress(OSError):
                self._guard.stdin.close()
            return False
        return True
