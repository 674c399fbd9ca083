"""A rechecking child, as seen from the process that asks. Its methods block: they are for threads."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from typing import Any, Final

from orquestrax.define.rehearsal import History
from orquestrax.define.workflow import Workflow
from orquestrax.node.rechecking.messages import Answer, Task, Unknown, decode_answer, encode

PATIENCE: Final = 60.0  # seconds for one answer; the child may have to import everything first
_SEED: Final = "PYTHONHASHSEED"


class Process:
    """A child with a hash seed of its own, spawned at once; one question at a time. `close` ends it."""

    def __init__(self, *, idle: bool) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own code, and the path of this process
            [sys.executable, "-c", _begin(idle=idle)],
            env={**os.environ, _SEED: other_seed()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us: the child ends with its standard input
        )
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def check(self, workflow: Workflow[..., Any], history: History, patience: float = PATIENCE) -> Answer:
        """Replay a history there. A child that does not answer in time is killed."""
        task = Task(workflow.file, workflow.fn.__qualname__, workflow.name, workflow.digest, history)
        overdue = threading.Timer(patience, self._process.kill)
        overdue.daemon = True
        overdue.start()
        try:
            with self._lock:
                self._tell(encode(task))
                assert self._process.stdout is not None
                line = self._process.stdout.readline()
        finally:
            overdue.cancel()
        if line.endswith(b"\n"):
            return decode_answer(line)
        self._process.wait()
        return Unknown("the other process has ended")

    def _tell(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:  # it has ended: the missing answer says so
            return

    def close(self) -> None:
        """End it; whoever waits for an answer gets none."""
        self._process.kill()
        with self._lock:
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                try:
                    pipe.close()
                except OSError:  # what was still to be written
                    continue
        self._process.wait()


def _begin(*, idle: bool) -> str:
    """What the child runs: it looks for modules where this process does, wherever it was started."""
    path = [os.path.abspath(each) for each in sys.path]  # noqa: PTH100 - "" is the current folder
    child = "orquestrax.node.rechecking.child"
    return f"import sys; sys.path[:] = {path!r}; from {child} import main; main(idle={idle})"


def other_seed() -> str:
    """A hash seed that is not this process's."""
    own = os.environ.get(_SEED)
    return next(seed for seed in (str(random.randrange(1, 2**32)) for _ in range(9)) if seed != own)
