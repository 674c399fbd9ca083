"""Modules by dotted name or path, each file run once, and one sentence for each that does not import."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from orquestrax import DefinitionError, NotFound
from orquestrax.define.modules import load_modules

ONE = "from orquestrax import workflow\n@workflow\nasync def one() -> None: ...\n"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """An empty current folder; modules and search path are as before afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(project, name, text=ONE):
    file = project / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_by_name_from_the_current_folder(project):
    write(project, "lm_hello.py")
    write(project, "lm_shop/flows.py")
    hello, flows = load_modules(["lm_hello", "lm_shop.flows"])
    assert (hello.__name__, flows.__name__) == ("lm_hello", "lm_shop.flows")
    assert hello.one.name == "one"


def test_by_path_with_its_own_folder_searched_as_python_does(project):
    write(project, "lm_examples/lm_hello.py", "import lm_beside\n" + ONE)
    write(project, "lm_examples/lm_beside.py", "")
    [hello] = load_modules(["lm_examples/lm_hello.py"])
    assert hello.__name__ == "lm_hello"
    assert load_modules(["./lm_examples/lm_hello.py", "lm_hello"]) == [hello, hello]


def test_a_file_of_a_package_may_import_relatively(project):
    write(project, "lm_pack/__init__.py", "")
    write(project, "lm_pack/deep/__init__.py", "")
    write(project, "lm_pack/deep/flows.py", "from . import other\nfrom .. import deep\n" + ONE)
    write(project, "lm_pack/deep/other.py", "")
    [flows] = load_modules([str(project / "lm_pack" / "deep" / "flows.py")])
    assert flows.__name__ == "lm_pack.deep.flows"
    assert load_modules(["lm_pack/deep/flows.py", "lm_pack.deep.flows"]) == [flows, flows]
    assert load_modules(["lm_pack/deep/__init__.py"])[0].__name__ == "lm_pack.deep"


def test_a_name_that_is_taken_or_is_none(project):
    write(project, "lm_a/lm_same.py", "where = 'a'")
    write(project, "lm_b/lm_same.py", "where = 'b'")
    write(project, "lm_b/json.py", "where = 'json'")
    write(project, "lm-dashed file.py", "where = 'dashed'")
    names = ["lm_a/lm_same.py", "lm_b/lm_same.py", "lm_b/json.py", "lm-dashed file.py"]
    modules = load_modules(names)
    assert [m.where for m in modules] == ["a", "b", "json", "dashed"]
    assert load_modules(names) == modules


def test_a_program_does_not_import_itself_a_second_time(project):
    write(project, "lm_main.py", "print('run')\nfrom orquestrax.define.modules import load_modules\n"
          "import sys\nif __name__ == '__main__':\n"
          "    modules = load_modules(['lm_main', 'lm_main.py'])\n"
          "    print([m is sys.modules['__main__'] for m in modules])\n")  # fmt: skip
    run = subprocess.run(
        [sys.executable, "lm_main.py"], capture_output=True, text=True, check=True, cwd=project
    )
    assert run.stdout.splitlines() == ["run", "[True, True]"]


def test_the_current_folder_comes_before_installed_modules(project):
    write(project, "lm_first.py", "where = 'here'")
    other = project / "elsewhere"
    write(other, "lm_first.py", "where = 'elsewhere'")
    sys.path.insert(0, str(other))
    assert load_modules(["lm_first"])[0].where == "here"


DEEP = "def check(value):\n    return value['missing']\n"

FAULTS = {
    "unknown name": ("lm_nothing", NotFound, "there is no module lm_nothing (in "),
    "unknown inner name": ("lm_broken.nothing", NotFound, "there is no module lm_broken.nothing (in "),
    "unknown file": ("nothing.py", NotFound, "there is no file nothing.py (in "),
    "no module": ("lm broken", NotFound, "'lm broken' is no module: give a dotted name like shop.flows"),
    "empty": ("", NotFound, "'' is no module"),
    "a folder": ("lm_folder/", NotFound, "there is no file lm_folder/"),
    "another kind of file": ("./lm_data.txt", NotFound, "./lm_data.txt is no Python module"),
    "syntax": ("lm_syntax", DefinitionError, "lm_syntax.py:2: lm_syntax does not import: SyntaxError: "),
    "indentation": (
        "lm_indent.py",
        DefinitionError,
        "lm_indent.py:2: lm_indent.py does not import: Indentation",
    ),
    "missing library": (
        "lm_missing",
        DefinitionError,
        "lm_missing.py:2: lm_missing does not import: ModuleNotFoundError: No module named 'lm_stripe'",
    ),
    "missing name": (
        "lm_name",
        DefinitionError,
        "lm_name.py:1: lm_name does not import: ImportError: cannot",
    ),
    "any error": ("lm_error", DefinitionError, "lm_deep.py:2: lm_error does not import: KeyError: 'missing'"),
    "error in a library": (
        "lm_library",
        DefinitionError,
        "lm_library.py:2: lm_library does not import: JSON",
    ),
    "error of several lines": (
        "lm_lines",
        DefinitionError,
        "lm_lines.py:1: lm_lines does not import: ValueError: a b",
    ),
    "the end": (
        "lm_exit",
        DefinitionError,
        "lm_exit.py:2: lm_exit ends the program when it is imported: put",
    ),
    "definition": ("lm_definition", DefinitionError, "lm_definition.py:2: one is a generator"),
    "null byte": ("lm_null", DefinitionError, "lm_null"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_sentence(project, fault):
    write(project, "lm_broken.py", "")
    write(project, "lm_folder/x.py", "")
    write(project, "lm_data.txt", "")
    write(project, "lm_syntax.py", "x = 1\ndef (:\n")
    write(project, "lm_indent.py", "def f():\nx = 1\n")
    write(project, "lm_missing.py", "import json\nimport lm_stripe\n")
    write(project, "lm_name.py", "from json import nothing\n")
    write(project, "lm_deep.py", DEEP)
    write(project, "lm_error.py", "import lm_deep\nlm_deep.check({})\n")
    write(project, "lm_library.py", "import json\njson.loads('{')\n")
    write(project, "lm_lines.py", "raise ValueError('a\\n  b')\n")
    write(project, "lm_exit.py", "import sys\nsys.exit(3)\n")
    write(project, "lm_definition.py", ONE.replace("...", "yield"))
    write(project, "lm_null.py", "x = 1\0\n")
    name, kind, sentence = FAULTS[fault]
    with pytest.raises(kind) as refused:
        load_modules([name])
    text = str(refused.value)
    assert sentence in text
    assert "\n" not in text
    assert not re.search(r"importlib|Traceback", text)


def test_after_a_fault_is_mended_the_module_loads(project):
    write(project, "lm-mended.py", "raise ValueError")
    write(project, "lm_mended.py", "raise ValueError")
    for name in ("lm-mended.py", "lm_mended"):
        with pytest.raises(DefinitionError):
            load_modules([name])
    write(project, "lm-mended.py", "fine = True  # now")
    write(project, "lm_mended.py", "fine = True  # now")
    assert all(module.fine for module in load_modules(["lm-mended.py", "lm_mended"]))
