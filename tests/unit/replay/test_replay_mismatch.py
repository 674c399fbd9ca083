"""Edited code against a stored history: found with both sides and the line, or harmless."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.replay.kit import Host, Main, new, rebuild, step

import orquestrax.replay.context as ox
from orquestrax.base.errors import NonDeterminism
from orquestrax.model import events
from orquestrax.model.events import Event

FILE = "shop.py"

# -- every edit of a sequential workflow --

Line = tuple[str, str]
lines = st.tuples(st.sampled_from(["step", "timer", "receive"]), st.sampled_from("abc"))
IN_SOURCE = {
    "step": "await step({!r})",
    "timer": "await asyncio.sleep(5)",
    "receive": "await ox.receive({!r})",
}
IN_WORDS = {"step": "step {!r}", "timer": "a timer", "receive": "a signal {!r}"}


def compiled(code: list[Line]) -> Main:
    """A workflow of one command a line; the n-th command is on line n + 1."""
    body = [IN_SOURCE[kind].format(name) for kind, name in code]
    source = "\n    ".join(["async def main():", *body, "return 1"])
    names: dict[str, Any] = {"step": step, "asyncio": asyncio, "ox": ox}
    exec(compile(source, FILE, "exec"), names)
    main: Main = names["main"]
    return main


def recorded(code: list[Line], length: int) -> list[Event]:
    """The first events of its history."""
    host = Host(compiled(code))
    for kind, name in code[:length]:
        {"step": host.complete, "timer": lambda _: host.fire(), "receive": host.signal}[kind](name)
    host.replay.close()
    return host.history


def in_words(line: Line) -> str:
    return IN_WORDS[line[0]].format(line[1])


def label(line: Line) -> Any:
    return line[0] if line[0] == "timer" else line


@given(code=st.lists(lines, min_size=1, max_size=6), edited=st.lists(lines, max_size=6), data=st.data())
def test_any_other_code(code: list[Line], edited: list[Line], data: st.DataObject) -> None:
    _check_edit(code, edited, data.draw(st.integers(0, len(code))))


@given(code=st.lists(lines, min_size=2, max_size=6), data=st.data())
def test_small_edits(code: list[Line], data: st.DataObject) -> None:
    """Swapped, renamed, added, removed: at any place, with any part of the history written."""
    at = data.draw(st.integers(0, len(code) - 2))
    line = data.draw(lines)
    edits = {
        "swap": [*code[:at], code[at + 1], code[at], *code[at + 2 :]],
        "change": [*code[:at], line, *code[at + 1 :]],
        "add": [*code[:at], line, *code[at:]],
        "remove": [*code[:at], *code[at + 1 :]],
        "add at the end": [*code, line],
        "remove at the end": code[:-1],
    }
    _check_edit(code, data.draw(st.sampled_from(list(edits.values()))), data.draw(st.integers(0, len(code))))


def _check_edit(code: list[Line], edited: list[Line], length: int) -> None:
    history = recorded(code, length)
    same = 0
    while same < min(len(code), len(edited)) and label(code[same]) == label(edited[same]):
        same += 1
    replay = new(compiled(edited))
    replay.start()
    for event in history[:same]:
        replay.apply(event)
    if length <= same:
        return  # what differs had not been reached
    with pytest.raises(NonDeterminism) as raised:
        replay.apply(history[same])
    _check_words(raised.value, code[same], edited[same:], same + 1)
    assert replay.issued == same + 1  # nothing changed: this command, or the end
    replay.close()


def _check_words(error: NonDeterminism, was: Line, edited: list[Line], number: int) -> None:
    name = was[1]
    happened = {
        "step": f"step {name!r} completed as command {number}",
        "timer": f"a timer fired as command {number}",
        "receive": f"signal {name!r} received",
    }[was[0]]
    assert error.recorded.startswith(happened)
    assert str(error).startswith(f"the history has {error.recorded} (event {number}); the code {error.asked}")
    if not edited:
        assert error.asked == "ended as completed"
        return
    assert in_words(edited[0]) in error.asked
    assert (error.file, error.line) == (FILE, number + 1)
    assert str(error).endswith(f"({FILE}:{number + 1})")


# -- commands side by side --


def asking(*names: str) -> Main:
    async def main() -> Any:
        return await asyncio.gather(*[step(name) for name in names])

    return main


def history_of(*names: str) -> list[Event]:
    """The last of them has completed."""
    host = Host(asking(*names))
    host.complete(names[-1])
    return host.history


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("acb", "asked for step 'b' as command 3"),
        ("abx", "asked for step 'x' as command 3"),
        ("ab", "asked for only 2 commands, since the event before for step 'a', step 'b'"),
        ("", "ended as completed"),
        ("xbc", "asked for 3 other commands, since the event before for step 'x', step 'b', step 'c'"),
        ("abcd", "asked for 4 commands, since the event before for step 'a', step 'b', step 'c', step 'd'"),
        ("abcdefgh", "step 'e', 3 more"),
    ],
)
def test_commands_without_events_of_their_own_are_checked(names: str, words: str) -> None:
    with pytest.raises(NonDeterminism) as raised:
        rebuild(asking(*names), history_of(*"abc"))
    assert raised.value.recorded.startswith("step 'c' completed as command 3")
    assert words in str(raised.value)
    assert raised.value.file == (None if not names else __file__)


def test_the_line_is_that_of_the_command_which_is_too_many() -> None:
    def with_extra(place: int | None) -> tuple[Main, int]:
        async def main() -> None:
            calls = [step("a"), step("b"), step("c")]
            if place is not None:
                calls.insert(place, step("extra"))
            await asyncio.gather(*calls)

        return main, main.__code__.co_firstlineno + 3

    plain, line = with_extra(None)
    host = Host(plain)
    for data in (events.StepStarted(1, "a", 1, "n", 0),):
        host.happen(events.STEP_STARTED, data)
    for place in (1, 2, 3):
        with pytest.raises(NonDeterminism) as raised:
            rebuild(with_extra(place)[0], host.history)
        assert (raised.value.line, raised.value.asked.split(",")[0]) == (line, "asked for 4 commands")


def test_a_cancelled_timer_counts() -> None:
    def main(seconds: float | None) -> Main:
        async def run() -> Any:
            return await asyncio.wait_for(step("a"), seconds)

        return run

    host = Host(main(5))
    host.complete("a")
    with pytest.raises(NonDeterminism, match="asked for only 1 commands"):
        rebuild(main(None), host.history)
    rebuild(main(7), host.history)  # another limit is no other command
