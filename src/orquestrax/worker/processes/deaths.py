"""How a child ended, as one sentence."""

from __future__ import annotations

import signal
from typing import Final

from orquestrax.base.errors import ProcessCrashed

_HINTS: Final = {
    "SIGKILL": ": not by this node; where memory ran out the system does so",
    "SIGXCPU": ": its limit of processor time has passed",
}


def crash(step: str, status: int, memory: int | None) -> ProcessCrashed:
    """The error of an attempt whose process ended. `status` as `subprocess` has it: negative for a signal."""
    if status >= 0:
        return ProcessCrashed(f"the process of step {step!r} exited with status {status}, without a result")
    name = _signal(-status)
    hint = _HINTS.get(name, "")
    if name in ("SIGABRT", "SIGSEGV") and memory is not None:
        hint = f": native code may do so when it gets no more memory (memory={memory:,} bytes)"
    return ProcessCrashed(f"the process of step {step!r} was killed by {name}{hint}")


def cut_off(step: str) -> ProcessCrashed:
    """The error of an attempt whose process lives, but can tell nothing any more."""
    return ProcessCrashed(
        f"the process of step {step!r} closed its connection to the node: it had to be killed"
    )


def no_start(status: int) -> ProcessCrashed:
    """The error of attempts whose process ended before it could listen."""
    how = f"exited with status {status}" if status >= 0 else f"was killed by {_signal(-status)}"
    return ProcessCrashed(
        f"a process for steps {how} as it began: what it wrote to stderr says why, or the system has no more memory"
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
