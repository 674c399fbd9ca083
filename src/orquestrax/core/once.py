"""At-most-once steps: `step_started` is committed before the body runs, and a body that is lost is not run again.

The node may die between that commit and the body, which then has not run at all; a successor cannot know, and says
the same of it: `StepInterrupted`. Only an outcome that the body itself came to is retried.
"""

from __future__ import annotations

from orquestrax.base import failures
from orquestrax.base.errors import StepInterrupted
from orquestrax.core.execution import Execution
from orquestrax.core.pausing import conclude
from orquestrax.model import events
from orquestrax.model.commands import RunStep


def is_announced(execution: Execution, command: RunStep) -> bool:
    """Whether the attempt that is due next has been written down as begun."""
    started = execution.announced.get(command.number)
    return started is not None and started.attempt == _attempt(execution, command)


def begins_here(execution: Execution, command: RunStep) -> bool:
    """Whether that is so, and it was this node that wrote it."""
    return is_announced(execution, command) and (
        command.step.options.at_most_once or execution.announced[command.number].node == execution.node
    )


def waits_to_be_announced(execution: Execution, command: RunStep) -> bool:
    """Whether it must be written down first that this attempt begins: those of instances that are tried, too."""
    must = command.step.options.at_most_once or execution.is_tried
    return must and not begins_here(execution, command)


def announce(execution: Execution, command: RunStep, now: int) -> None:
    """Write down that the next attempt begins here."""
    started = events.StepStarted(
        command.number,
        command.name,
        _attempt(execution, command),
        execution.node,
        now,
        command.file,
        command.line,
    )
    execution.announced[command.number] = started
    execution.noted(events.STEP_STARTED, started, now)


def begun(execution: Execution) -> list[RunStep]:
    """At-most-once steps of which an attempt was begun here and no outcome is known.

    For those in a queue the task knows who has begun them. Of those that a pause has kept it is known.
    """
    queued = execution.told_by_message
    kept = () if execution.pause is None else execution.pause.kept
    return [
        command
        for command in execution.replay.open.values()
        if isinstance(command, RunStep)
        and command.number not in queued
        and command.number not in kept
        and command.step.options.at_most_once
        and is_announced(execution, command)
    ]


def interrupt(execution: Execution, command: RunStep, now: int) -> None:
    """The step fails: whether it took effect is not known."""
    started = execution.announced[command.number]
    error = interrupted(command.name, started.node)
    failed = events.StepEnded(
        command=command.number,
        step=command.name,
        attempt=started.attempt,
        node=started.node,
        started_at=started.started_at,
        ended_at=now,
        error=events.raw(failures.encode(error, step=command.name)),
    )
    conclude(execution, failed, now)


def interrupted(step: str, node: str) -> StepInterrupted:
    """What the workflow sees of an at-most-once step that was lost with its node."""
    return StepInterrupted(
        f"step {step!r} was begun on {node} and lost: whether it took effect is not known, and being "
        "at_most_once it is not run again",
        step=step,
    )


def _attempt(execution: Execution, command: RunStep) -> int:
    """Which attempt is due next, or is under way: then no retry is left, and it is the one that was announced last."""
    retry = execution.retries.get(command.number)
    if retry is not None:
        return retry.attempt
    started = execution.announced.get(command.number)
    return 1 if started is None else started.attempt
