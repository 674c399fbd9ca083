"""The other process: replays histories that come by its standard input, until that ends.

What users' code prints or logs here was said when it ran, and goes nowhere.
"""

from __future__ import annotations

import os
import sys
import threading
from queue import SimpleQueue
from typing import Any, BinaryIO, NoReturn

from orquestrax.base.errors import NonDeterminism
from orquestrax.define.modules import load_modules
from orquestrax.define.rehearsal import rehearse
from orquestrax.define.workflow import Workflow
from orquestrax.node.rechecking.messages import (
    Answer,
    Differs,
    Fits,
    Task,
    Unknown,
    decode_task,
    encode,
)
from orquestrax.replay import guard


def main(*, idle: bool) -> NoReturn:
    """Answer one task after the other. An `idle` process stands back for everybody else."""
    answers = _own_output()
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), name="tasks", daemon=True).start()
    if idle:
        _stand_back()
    guard.install()
    while True:
        answers.write(encode(_answer(lines.get())))
        answers.flush()


def _own_output() -> BinaryIO:
    """The pipe to the parent, out of reach of users' prints."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return answers


def _read(lines: SimpleQueue[bytes]) -> None:
    """End with the parent, whatever users' code is doing."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def _stand_back() -> None:
    """Run only when nobody else wants to."""
    os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _answer(line: bytes) -> Answer:
    try:
        task = decode_task(line)
        workflow = _workflow(task)
        if workflow is None:
            return Unknown(f"{task.definition} is not at the top of {task.file}")
        if workflow.digest != task.digest:
            return Unknown(f"{task.file} has changed since the node imported it")
        return Fits(rehearse(workflow, task.history))
    except NonDeterminism as error:
        return Differs(str(error), error.recorded, error.asked, error.file, error.line)
    except Exception as error:  # noqa: BLE001 - of the import or of users' types: the node had none of it
        return Unknown(f"{type(error).__name__}: {error}")


def _workflow(task: Task) -> Workflow[..., Any] | None:
    (module,) = load_modules([task.file])
    for value in vars(module).values():
        if isinstance(value, Workflow) and value.name == task.definition and value.file == task.file:
            found: Workflow[..., Any] = value
            if found.fn.__qualname__ == task.qualname:
                return found
    return None
