"""What a workflow declaration holds, and that calling one runs nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from orquestrax import NotInWorkflow, PayloadError, Workflow, workflow


@workflow
async def greet(name: str, times: int = 1) -> str:
    """Say hello."""
    return f"hello {name}" * times


@workflow(name="nightly report", version="2")
async def report() -> None: ...


def test_what_a_workflow_is():
    assert (greet.name, greet.version, greet.doc) == ("greet", "", "Say hello.")
    assert (report.name, report.version, report.doc) == ("nightly report", "2", "")
    assert greet.file == __file__
    lines = Path(__file__).read_text().splitlines(keepends=True)
    assert greet.source == "".join(lines[greet.line - 1 : greet.line + 3])
    assert greet.source.startswith("@workflow\nasync def greet(")


def test_the_digest_is_of_the_file_and_the_name():
    content = Path(__file__).read_bytes()
    assert greet.digest == hashlib.sha256(content + b"\0greet").hexdigest()
    assert report.digest == hashlib.sha256(content + b"\0report").hexdigest()


def test_a_nested_workflow_has_its_function_s_name():
    @workflow
    async def inner() -> None: ...

    assert inner.name == "inner"


def test_calling_it_outside_of_workflows_names_start():
    with pytest.raises(NotInWorkflow, match=r"start it with `await client.start\(greet, …\)`") as refused:
        greet("you")
    assert "ox.run(greet, …)" in str(refused.value)


def test_calling_it_inside_a_workflow_is_refused(begin):
    @workflow
    async def outer() -> str:
        return await greet("you")

    status, error = begin(outer).ended
    assert (status, error["type"]) == ("failed", "ForbiddenInWorkflow")
    assert "move it into a function without decorator" in error["message"]


def test_main_makes_the_coroutine(begin):
    assert begin(greet, "you", 2).ended == ("completed", "hello youhello you")
    assert begin(greet, "you").ended == ("completed", "hello you")
    with pytest.raises(PayloadError, match="workflow 'greet'"):
        greet.main(b"[1]")


def test_the_bare_function_is_there_for_tests():
    coroutine = greet.fn("you")
    with pytest.raises(StopIteration, match="hello you"):
        coroutine.send(None)


SOURCELESS = """
import sys
from orquestrax import workflow
scope = {}
exec(compile('''
@workflow
async def w() -> int:
    add = lambda n: n + {number}
    return add(1)
''', "<nowhere>", "exec"), {"workflow": workflow}, scope)
print(repr(scope["w"].source), scope["w"].digest)
"""


def test_without_source_the_digest_is_of_the_code_and_the_same_in_every_process():
    def told(number):
        code = SOURCELESS.replace("{number}", str(number))
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told(1) == told(1) != told(2)
    assert told(1).startswith("'' ")


def test_the_type_is_shown():
    assert isinstance(greet, Workflow)
    assert repr(greet).startswith("<workflow greet at ")
