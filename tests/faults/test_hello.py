"""examples/hello.py as people meet it: interrupted, killed, run again. The README's recording is made here.

With ORQUESTRAX_RECORD=1 the recording is written; otherwise it has to show what happens.
"""

from __future__ import annotations

import asyncio
import html
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from orquestrax.client.connect import connected
from orquestrax.settings import Settings
from tests.homes import copied

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "examples" / "hello.py"
RECORDING = ROOT / "docs" / "images" / "hello.svg"
GREETINGS = [f"Hello, {name}!" for name in ("Ada", "Grace", "Joan", "Mary", "Radia")]


class Program:
    """A Python program, and what it has written to stdout and stderr, in their order."""

    def __init__(self, file: Path, folder: Path, home: Path) -> None:
        env = {**os.environ, "ORQUESTRAX_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        for name in ("ORQUESTRAX_DATABASE_URL", "DATABASE_URL"):
            env.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, file],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def until(self, begin: str) -> None:
        """Read up to a line that begins so."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(begin):
                return
        raise AssertionError(f"it ended without {begin!r}: {self.lines}")

    def end(self, number: signal.Signals | None = None) -> int:
        """Its exit status, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        assert self.process.stdout
        self.lines += self.process.stdout.read().splitlines()
        return self.process.wait(30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture(scope="module")
def home(made: Path) -> Iterator[Path]:
    """A home of the embedded server, in a place that its user can enter."""
    with copied(made) as place:
        yield place / "home"


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start a program in this test's project folder, which has a database of its own."""
    programs: list[Program] = []

    def begin(file: Path = HELLO) -> Program:
        programs.append(Program(file, tmp_path, home))
        return programs[-1]

    yield begin
    for program in programs:
        program.close()


async def written(home: Path, project: Path, steps: int) -> None:
    """Return once so many steps are in the history of the one instance; their greetings come before."""
    async with connected(Settings(home=home, project=project)) as client:
        (run,) = await client.list()
        while sum(event.type == "step_completed" for event in await client.history(run.id)) < steps:
            await asyncio.sleep(0.01)


async def test_goes_on_after_ctrl_c(run: Callable[..., Program], home: Path, tmp_path: Path) -> None:
    first = run()
    first.until(GREETINGS[1])
    await written(home, tmp_path, 2)
    assert first.end(signal.SIGINT) == 130
    second = run()
    assert second.end() == 0
    assert first.lines == [
        *GREETINGS[:2],
        "stopped: hello-1 has kept what it did, run this again and it goes on",
    ]
    assert second.lines == ["resumed hello-1: 2 steps already done", *GREETINGS[2:], "letters: 21"]
    _check_recording(first.lines, second.lines)


def test_goes_on_after_kill(run: Callable[..., Program]) -> None:
    first = run()
    first.until(GREETINGS[1])
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = run()
    assert second.end() == 0
    resumed = re.fullmatch(r"resumed hello-1: ([12]) steps? already done", second.lines[0])
    assert resumed, second.lines
    done = int(resumed[1])  # its greeting is out a moment before a step is written down as done
    assert second.lines[1:] == [*GREETINGS[done:], "letters: 21"]


@pytest.mark.verify
def test_a_second_program_waits_for_the_same_result(run: Callable[..., Program]) -> None:
    first = run()
    first.until(GREETINGS[0])
    second = run()
    assert first.end() == second.end() == 0
    assert first.lines == [*GREETINGS, "letters: 21"]
    assert re.fullmatch(r"hello-1 runs on \S+: waiting for its result", second.lines[0])
    assert second.lines[1:] == ["letters: 21"]
    third = run()
    assert third.end() == 0
    assert third.lines == ["hello-1 was completed already: for another run give another id", "letters: 21"]


@pytest.mark.verify
async def test_goes_on_without_an_id(run: Callable[..., Program], home: Path, tmp_path: Path) -> None:
    program = tmp_path / "nameless.py"
    program.write_text(HELLO.read_text().replace(', id="hello-1"', ""))
    first = run(program)
    first.until(GREETINGS[1])
    await written(home, tmp_path, 2)
    assert first.end(signal.SIGTERM) == 128 + signal.SIGTERM
    id_ = re.fullmatch(r"stopped: (\S+) has kept what it did, run this again and it goes on", first.lines[-1])
    assert id_, first.lines
    second = run(program)
    assert second.end() == 0
    assert second.lines == [f"resumed {id_[1]}: 2 steps already done", *GREETINGS[2:], "letters: 21"]
    third = run(program)
    third.until(GREETINGS[0])
    assert third.lines == GREETINGS[:1], "what has ended is not resumed"


def _check_recording(first: list[str], second: list[str]) -> None:
    shown = [
        "$ python examples/hello.py",
        *first[:-1],
        "^C",
        first[-1],
        "$ python examples/hello.py",
        *second,
    ]
    if os.environ.get("ORQUESTRAX_RECORD"):
        console = Console(record=True, width=76, file=io.StringIO())
        for line in shown:
            style = (
                "bold"
                if line.startswith("$")
                else "yellow"
                if line.startswith(("stopped", "resumed"))
                else ""
            )
            console.print(Text(line, style=style))
        RECORDING.parent.mkdir(exist_ok=True)
        console.save_svg(str(RECORDING), title="examples/hello.py", unique_id="hello")
    recorded = html.unescape(re.sub("<[^>]*>", "\n", RECORDING.read_text())).replace("\xa0", " ")
    texts = [line.rstrip() for line in recorded.splitlines()]
    assert [line for line in shown if line not in texts] == []
