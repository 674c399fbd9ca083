"""A child finds a step by where it is written, whatever the node calls its module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orquestrax.base.errors import DefinitionError
from orquestrax.define.modules import load_modules
from orquestrax.worker.processes.places import place_of
from tests.processes import bodies

PROJECT = Path(__file__).parents[2]
PROGRAM = """
import asyncio, os
import orquestrax as ox

class Declined(Exception): ...

@ox.step(executor="process")
def double(number: int) -> int:
    if number < 0:
        raise Declined(number)
    return 2 * number

if __name__ == "__main__":
    import sys
    sys.path.append({project!r})
    from orquestrax import Retry
    from tests.processes.conftest import Rig

    async def main() -> None:
        rig = Rig()
        assert await rig.run(double, 21) == 42
        assert not ran_as_main
        outcome = await rig.outcome(rig.start(double, -1, retry=Retry(never=(Declined,))))
        assert outcome.delay is None, "the class of __main__ is the same in the child"
        await rig.runner.stop(1)
        print("fine")

    ran_as_main = False
    asyncio.run(main())
"""


@pytest.mark.parametrize("command", [["shop/flows.py"], ["-m", "shop.flows"], ["odd-name.py"]])
def test_a_program_is_found_though_it_is_called_main(command, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    for name in ("shop/flows.py", "odd-name.py"):
        (tmp_path / name).write_text(PROGRAM.format(project=str(PROJECT)))
    with (tmp_path / "said").open("w") as said:
        run = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, stdout=said, stderr=said, timeout=100, check=False
        )
    assert ((tmp_path / "said").read_text(), run.returncode) == ("fine\n", 0)


async def test_a_module_named_by_its_path_is_found(rig, tmp_path, monkeypatch):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "my-flow.py").write_text(PROGRAM.format(project=str(PROJECT)))
    (module,) = load_modules([str(folder / "my-flow.py")])
    try:
        assert await rig.run(module.double, 4) == 8
        assert list(folder.iterdir()) == [folder / "my-flow.py"], "no byte code is left by children"
    finally:
        del sys.modules[module.__name__]


async def test_new_code_is_for_new_children(make_rig, tmp_path):
    """A child has imported its modules for good; a new node (as `dev` starts one) begins with new children."""
    file = tmp_path / "changing.py"
    source = "import orquestrax as ox\n@ox.step(executor='process')\ndef answer() -> int:\n    return {}\n"
    file.write_text(source.format(1))
    (module,) = load_modules([str(file)])
    try:
        before = make_rig(slots={"process": 1})
        assert await before.run(module.answer) == 1
        file.write_text(source.format(2))
        assert await before.run(module.answer) == 1
        assert await make_rig(slots={"process": 1}).run(module.answer) == 2
    finally:
        del sys.modules[module.__name__]


async def test_code_that_does_not_import_any_more_fails_with_its_place(make_rig, tmp_path):
    file = tmp_path / "breaking.py"
    file.write_text(
        "import orquestrax as ox\n@ox.step(executor='process')\ndef answer() -> int:\n    return 1\n"
    )
    (module,) = load_modules([str(file)])
    try:
        file.write_text("this is no Python")
        failure = await make_rig(slots={"process": 1}).run(module.answer)
        assert failure.type == "DefinitionError"
        assert "breaking.py:1: " in failure.message
    finally:
        del sys.modules[module.__name__]


def test_what_is_in_no_file_is_refused():
    lost = bodies.whoami.options()
    lost.declared = lost
    lost.fn = eval("lambda: 1", {"__name__": "nowhere"})
    with pytest.raises(DefinitionError, match="is in no file that a child process could import"):
        place_of(lost)
    assert place_of(bodies.whoami).module == "tests.processes.bodies"
    assert Path(place_of(bodies.whoami).file).samefile(bodies.__file__)
