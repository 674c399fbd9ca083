"""Steps, results and failures: live, and rebuilt at every event."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.replay.kit import BEGAN, UNFIT, step


def test_a_workflow_without_commands_ends_at_its_start(host: Any) -> None:
    async def main() -> int:
        return 7

    run = host(main)
    assert run.result == 7
    assert run.turn.finish is run.finish
    assert run.turn.commands == [run.finish]
    assert run.finish.number == run.replay.issued == 1


def test_steps_one_after_the_other(host: Any) -> None:
    async def main() -> list[Any]:
        return [await step("a", 1), await step("b", 2)]

    run = host(main)
    assert run.asked == ["step a"]
    [command] = run.turn.commands
    assert (command.arguments, command.asked_at) == (b"[1]", BEGAN)
    run.complete("a", "one")
    assert run.asked == ["step b"]
    run.complete("b", {"n": 2})
    assert run.result == ["one", {"n": 2}]


def test_a_failed_step_raises_what_it_rebuilds(host: Any) -> None:
    async def main() -> str:
        try:
            await step("a")
        except Exception as error:
            return f"{type(error).__name__} {error}"
        return "?"

    run = host(main)
    run.fail("a", "broken")
    assert run.result == "Failure broken"


def test_an_exception_fails_the_workflow(host: Any) -> None:
    async def main() -> None:
        await step("a")
        raise ValueError("bad")

    run = host(main)
    run.complete()
    assert run.error == ["ValueError", "bad"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_would_end_a_process_fails_the_workflow(host: Any, error: type[BaseException]) -> None:
    async def main() -> None:
        await step("a")
        raise error

    run = host(main)
    run.complete()
    assert run.error == [error.__name__, ""]


def test_an_interrupt_in_a_child_task_reaches_who_awaits_it(host: Any) -> None:
    async def child() -> None:
        await step("a")
        raise SystemExit(3)

    async def main() -> str:
        task = asyncio.create_task(child())
        try:
            await task
        except SystemExit as error:
            return f"exit {error.code}"
        return "?"

    run = host(main)
    run.complete()
    assert run.result == "exit 3"


def test_main_that_cannot_be_made_fails(host: Any) -> None:
    def main() -> Any:
        raise TypeError("missing an argument")

    assert host(main).error == ["TypeError", "missing an argument"]


def test_main_that_is_no_coroutine_fails(host: Any) -> None:
    run = host(lambda: 5)
    assert run.error[0] == "TypeError"


def test_a_result_that_cannot_be_encoded_fails(host: Any) -> None:
    async def main() -> Any:
        loop: list[Any] = []
        loop.append(loop)
        return loop

    assert host(main).error[0] == "ValueError"


@pytest.mark.parametrize(("message", "seen"), [(UNFIT, "ValueError"), ("stop", "RuntimeError")])
def test_errors_that_cannot_be_raised_as_they_were(host: Any, message: str, seen: str) -> None:
    async def main() -> str:
        try:
            await step("a")
        except Exception as error:
            return type(error).__name__
        return "?"

    run = host(main)
    run.fail("a", message)
    assert run.result == seen


def test_a_result_that_does_not_fit_its_type_any_more_raises(host: Any) -> None:
    async def main() -> str:
        try:
            await step("a")
        except ValueError:
            return "unfit"
        return "?"

    run = host(main)
    run.complete("a", UNFIT)
    assert run.result == "unfit"
