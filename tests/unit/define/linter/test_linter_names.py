"""Every name of the rules is found however it was imported, and nowhere else."""

from __future__ import annotations

import importlib
import keyword

import pytest
from tests.unit.define.linter.conftest import Lint

from orquestrax.define.linter.rules import INSTANCES, METHODS, NAMES, Rule


def _here(name: str) -> bool:
    """Whether this Python has the function."""
    home, _, attribute = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(home), attribute)
    except ImportError:
        return False


OF_MODULES = sorted(name for name in NAMES if _here(name) and not name.startswith("builtins."))
HERE = sorted({name.rpartition(".")[0] for name in OF_MODULES})


def _says(rule: Rule) -> str:
    return rule.instead


def test_the_names_of_the_standard_library_are_there() -> None:
    assert len(OF_MODULES) > 200
    assert {"time", "random", "uuid", "os", "secrets", "socket", "subprocess", "threading"} <= set(HERE)


@pytest.mark.parametrize("home", HERE)
def test_found_by_every_way_to_import_it(home: str, lint_source: Lint) -> None:
    names = [name for name in OF_MODULES if name.rpartition(".")[0] == home]
    lines, wanted = [], {}
    for index, name in enumerate(names):
        attribute = name.rpartition(".")[2]
        lines += [f"import {home} as m{index}", f"from {home} import {attribute} as f{index}"]
    lines += [f"import {home}", "@ox.workflow", "async def flow():"]
    for index, name in enumerate(names):
        attribute = name.rpartition(".")[2]
        calls = [
            f"m{index}.{attribute}()",
            f"f{index}()",
            f"{home}.{attribute}()",
            f"from {home} import {attribute} as g{index}; g{index}()",
            f"import {home} as n{index}; n{index}.{attribute}()",
        ]
        for call in calls:
            lines.append(f"    {call}")
            wanted[len(lines) + 2] = NAMES[name].instead
    found = {finding.line: finding.instead for finding in lint_source("\n".join(lines))}
    assert found == wanted


@pytest.mark.parametrize("home", HERE)
def test_a_name_of_the_users_own_is_none_of_them(home: str, lint_source: Lint) -> None:
    attributes = [name.rpartition(".")[2] for name in OF_MODULES if name.rpartition(".")[0] == home]
    own = [each for each in attributes if not keyword.iskeyword(each)]
    root = home.partition(".")[0]
    lines = [f"import {root}", f"def helper({root}): return 1"]
    for index, attribute in enumerate(own):
        lines += [
            "@ox.workflow",
            f"async def parameter{index}({attribute}: ox.StepInfo): return {attribute}()",
            "@ox.workflow",
            f"async def assigned{index}():",
            f"    {attribute} = {root} = helper",
            f"    {attribute}()",
            f"    {root}.{attribute}()",
            "@ox.workflow",
            f"async def looped{index}(many: list[int]):",
            f"    for {attribute} in many: {attribute}()",
            f"    with many as ({attribute}, {root}): {root}.{attribute}({attribute}())",
            f"    return [{attribute}() for {attribute} in many]",
        ]
    source = "\n".join(lines).replace("ox.StepInfo", "int")
    assert lint_source(source) == []


@pytest.mark.parametrize("builtin", ["open", "input", "id", "hash"])
def test_builtins_are_found_unless_they_were_replaced(builtin: str, lint_body: Lint) -> None:
    assert [finding.instead for finding in lint_body(f"{builtin}('x')")] == [
        NAMES[f"builtins.{builtin}"].instead
    ]
    assert lint_body(f"{builtin}('x')", parameters=f"{builtin}: int") == []
    assert lint_body(f"{builtin}('x')", before=f"def {builtin}(x): ...") == []


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("import random\nTHING = random.Random(7)", "THING.random()"),
        ("import random\nTHING = random.Random(7)\nTHING = THING.choice", "THING([1])"),
        ("import threading\nTHING = threading.Lock()", "with THING: pass"),
        ("import threading\nTHING = threading.Lock()", "THING.acquire()"),
        ("import threading\nTHING = threading.Event()", "THING.wait()"),
        ("import queue\nTHING = queue.Queue()", "THING.get()"),
        ("import queue\nTHING = queue.SimpleQueue()", "THING.get()"),
        ("import requests\nTHING = requests.Session()", "THING.get('http://x')"),
        ("import httpx\nTHING = httpx.Client()", "THING.get('http://x')"),
        ("from concurrent.futures import ThreadPoolExecutor as P\nTHING = P()", "THING.submit(print)"),
        ("from pathlib import Path\nTHING = Path('.')", "(THING / 'x' / 'y').read_text()"),
        ("from pathlib import Path\nTHING = Path('.')", "THING.parent.joinpath('x').exists()"),
        ("from pathlib import Path as THING", "THING('x').with_suffix('.y').unlink()"),
        ("import pathlib", "pathlib.Path('x').write_text('y')"),
        ("import pathlib", "file = pathlib.Path('x'); file.stat()"),
        ("import pathlib", "pathlib.Path.home()"),
        ("from datetime import datetime\nTHING = datetime.now", "THING()"),
        ("from datetime import datetime as dt", "dt.now()"),
        ("from datetime import datetime as dt", "dt.fromtimestamp(5)"),
        ("import datetime as dt", "dt.datetime.utcnow(); dt.date.today()"),
        ("import os", "os.environ['X']"),
        ("import os", "os.environ.get('X', '')"),
        ("from os import environ as env", "'X' in env"),
        ("import time", "list(map(time.strftime, ['%Y'])); asyncio.gather(time.sleep)"),
        ("import uuid", "dict(key=uuid.uuid4)"),
        ("", "import uuid as u\nlambda: u.uuid4()"),
        ("", "def inner():\n    from time import time\n    return time()\ninner()"),
        ("", "await asyncio.get_running_loop().run_in_executor(None, print)"),
        ("", "loop = asyncio.get_running_loop(); loop.call_soon_threadsafe(print)"),
    ],
)
def test_found_in_other_shapes(made: str, used: str, lint_body: Lint) -> None:
    assert lint_body(used, before=made)


def test_every_rule_is_a_sentence() -> None:
    for rule in {*NAMES.values(), *INSTANCES.values(), *METHODS.values()}:
        assert rule.says
        assert rule.instead
        assert not rule.says.endswith(".")
        assert rule.says.isprintable()
