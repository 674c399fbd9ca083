"""What is served: what modules define or import, once, by name; nothing else of the process."""

from __future__ import annotations

import importlib
import sys

import pytest

from orquestrax import DuplicateDefinition, step, workflow
from orquestrax.define.catalogue import collect

FLOWS = """
from orquestrax import step, workflow

@step
async def charge(order: str) -> str:
    return order

fast_charge = charge.options(timeout=1)

@workflow
async def fulfil(order: str) -> str:
    return await charge(order)
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """write(**files) puts modules where they can be imported until the test ends; `in_` is their package."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(in_="", **files):
        (tmp_path / in_).mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / in_ / f"{name}.py").write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def found(*modules):
    catalogue = collect([importlib.import_module(name) for name in modules])
    return sorted(catalogue.workflows), sorted(catalogue.steps)


def test_what_a_module_defines(write):
    write(ct_flows=FLOWS)
    assert found("ct_flows") == (["fulfil"], ["charge"])


def test_lazy_objects_among_its_names_are_left_alone(write):
    lazy = """
class Lazy:
    @property
    def __class__(self):
        raise RuntimeError("not configured")
settings = Lazy()
"""
    write(ct_flows=lazy + FLOWS)
    assert found("ct_flows") == (["fulfil"], ["charge"])


def test_what_a_module_imports_with_the_steps_that_it_uses(write):
    write(ct_flows=FLOWS, ct_main="from ct_flows import fulfil")
    assert found("ct_main") == (["fulfil"], ["charge"])


def test_what_a_module_that_it_imports_defines(write):
    write(ct_flows=FLOWS, ct_main="import ct_flows", ct_other="import ct_main")
    assert found("ct_main") == (["fulfil"], ["charge"])
    assert found("ct_other") == ([], [])


def test_a_package_and_its_modules(write):
    write("ct_shop", __init__="", flows=FLOWS)
    write("ct_eager", __init__="from . import flows", flows=FLOWS)
    write(ct_main="import ct_shop.flows")
    assert found("ct_main") == (["fulfil"], ["charge"])
    assert found("ct_shop") == (["fulfil"], ["charge"])
    assert found("ct_eager") == (["fulfil"], ["charge"])


def test_modules_that_import_each_other(write):
    write(ct_one="import ct_two\n" + FLOWS, ct_two="import ct_one\n" + FLOWS.replace("charge", "pay"))
    with pytest.raises(DuplicateDefinition, match="two workflows are named 'fulfil'"):
        found("ct_one")


def test_steps_of_modules_that_the_workflow_s_module_imports(write):
    steps, _, flow = FLOWS.partition("@workflow")
    flows = f"import ct_steps\nfrom orquestrax import workflow\n@workflow{flow}"
    write(ct_steps=steps, ct_flows=flows, ct_main="from ct_flows import fulfil")
    assert found("ct_main") == (["fulfil"], ["charge"])


def test_nothing_else_of_the_process(write):
    write(ct_flows=FLOWS, ct_alone=FLOWS.replace("fulfil", "alone").replace("charge", "pay"))
    importlib.import_module("ct_alone")
    assert found("ct_flows") == (["fulfil"], ["charge"])


def test_lists_with_the_steps_that_a_function_encloses():
    @step
    async def inner() -> None: ...

    @step
    async def unused() -> None: ...

    @workflow
    async def outer() -> None:
        await inner()

    catalogue = collect(workflows=[outer])
    assert catalogue.workflows == {"outer": outer}
    assert list(catalogue.steps.values()) == [inner]
    assert collect(steps=[unused]).steps == {unused.name: unused}


def test_two_of_one_name_are_refused_with_both_places(write):
    write(ct_one=FLOWS, ct_two="\n\n" + FLOWS.replace("fulfil", "other"), ct_main="import ct_one, ct_two")
    pattern = (
        r"two steps are named 'charge': \S*ct_one.py:4 and \S*ct_two.py:6; give one of them another name"
    )
    with pytest.raises(DuplicateDefinition, match=pattern):
        found("ct_main")
    with pytest.raises(DuplicateDefinition):
        found("ct_one", "ct_two")


def test_two_made_by_one_function_are_two():
    def make(number):
        @step(name="made")
        async def made() -> int:
            return number

        return made

    one, two = make(1), make(2)
    assert collect(steps=[one, one]).steps == {"made": one}
    with pytest.raises(DuplicateDefinition, match="two steps are named 'made'"):
        collect(steps=[one, two])


def test_one_file_under_two_names_is_one(write, tmp_path):
    write("ct_shop", __init__="", flows=FLOWS)
    sys.path.insert(0, str(tmp_path / "ct_shop"))
    try:
        one, two = importlib.import_module("ct_shop.flows"), importlib.import_module("flows")
    finally:
        sys.path.remove(str(tmp_path / "ct_shop"))
    assert one.fulfil is not two.fulfil
    catalogue = collect([one, two])
    assert catalogue.workflows == {"fulfil": one.fulfil}
    assert catalogue.steps == {"charge": one.charge}


def test_a_step_with_other_options_is_the_same_and_its_declaration_counts(write):
    variant_first = FLOWS.replace("@step\nasync def charge", "@step\nasync def _charge").replace(
        "fast_charge = charge", "charge = _charge"
    )
    write(ct_flows=variant_first)
    module = importlib.import_module("ct_flows")
    catalogue = collect([module])
    assert list(catalogue.steps) == ["_charge"]
    assert catalogue.steps["_charge"].options.timeout is None
    assert collect(steps=[module.charge]).steps["_charge"].options.timeout is None
