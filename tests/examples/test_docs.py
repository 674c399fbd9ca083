"""What docs/examples.md shows is true: its code is the examples' own, its commands are understood."""

from __future__ import annotations

import re
import shlex

import pytest
import typer
from auditing import program as audit_program
from orderbook import program as orders_program

from orquestrax.cli.app import app
from orquestrax.define.modules import load_modules
from tests.examples.conftest import EXAMPLES

TEXT = (EXAMPLES.parent / "docs" / "examples.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"^\$ (.*)$", TEXT, re.MULTILINE)
PARSERS = {"orders.py": orders_program.parser, "audit.py": audit_program.parser}


def test_its_code_is_the_examples_own() -> None:
    assert CODE
    programs = "".join(file.read_text(encoding="utf-8") for file in EXAMPLES.glob("*.py"))
    assert all(code in programs for code in CODE)


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_are_understood(command: str) -> None:
    program, *arguments = shlex.split(command)
    files = [word for word in arguments if word.startswith("examples/")]
    assert all((EXAMPLES.parent / file).is_file() for file in files)
    if program == "python":
        PARSERS[files[0].removeprefix("examples/")]().parse_args(arguments[1:])
    else:
        assert program == "orquestrax"
        assert files or "audit-1" in arguments
        commands = typer.main.get_group(app).commands
        commands[arguments[0]].make_context(program, arguments[1:])


def test_the_audit_takes_the_input_that_is_shown() -> None:
    (given,) = [
        shlex.split(command)[4] for command in COMMANDS if command.startswith("orquestrax run audit ")
    ]
    (module,) = load_modules([str(EXAMPLES / "audit.py")])
    encoded = module.audit.signature.decode_input(given)
    assert module.audit.signature.decode(encoded)[0][1] == "/srv/audit-report"


def test_every_example_is_told_of() -> None:
    assert {file.name for file in EXAMPLES.glob("*.py")} == set(
        re.findall(r"^## `(.*?)`", TEXT, re.MULTILINE)
    )
