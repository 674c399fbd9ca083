"""The wall clock of a node, as wrong as one likes: a library of a few lines (`clock.c`) that the node preloads.

libfaketime would do the same, but hangs asyncio on Python 3.11.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path


def missing() -> str:
    """Why clocks cannot jump here, and what to do; "" if they can."""
    if shutil.which("cc") is None:
        return "clock jumps need a C compiler: apt-get install gcc libc6-dev"
    return ""


def build(folder: Path) -> Path:
    """The library, made in this folder."""
    made = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(made), str(source), "-lm"], check=True)
    return made


@dataclass
class Clock:
    """`environment` is what a process needs for its clock to go by this one. Right until it jumps."""

    file: Path
    library: Path

    def __post_init__(self) -> None:
        self.jump(0.0)

    def jump(self, seconds: float) -> None:
        """From now on it is wrong by so much."""
        if not self.file.exists():
            self.file.write_bytes(bytes(8))
        with self.file.open("r+b") as file:
            file.write(struct.pack("d", seconds))

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "CHAOS_CLOCK": str(self.file)}
