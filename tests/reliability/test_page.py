"""docs/reliability.md says what the tests' names say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.reliability.bearers import Bearer, bearers
from tests.reliability.page import PAGE, Unborne, figures_of, named, render
from tests.reliability.promises import PROMISES

SOURCE = """
import pytest

def test_I2_I10_two_numbers(): ...
async def test_I3_a_coroutine(): ...
@pytest.mark.parametrize("n", [1])
@pytest.mark.verify
def test_I4_long(n): ...
def test_nothing_of_I5(): ...
def helper_I6_is_no_test(): ...
def test_I1_to_I3_everything(): ...
class TestGroup:
    def test_I7_in_a_class(self): ...
"""


def test_names_are_read_from_the_source(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_some.py").write_text(SOURCE)
    (folder / "test_slow.py").write_text(
        "import pytest\npytestmark = pytest.mark.verify\ndef test_I8_slow(): ...\n"
    )
    (folder / "support.py").write_text("def test_I9_of_no_test_file(): ...\n")
    read = {each.name: (each.numbers, each.words, each.verify, each.whole) for each in bearers(folder)}
    assert read == {
        "test_I2_I10_two_numbers": ((2, 10), "two numbers", False, False),
        "test_I3_a_coroutine": ((3,), "a coroutine", False, False),
        "test_I4_long": ((4,), "long", True, False),
        "test_I1_to_I3_everything": ((1, 2, 3), "everything", False, True),
        "test_I7_in_a_class": ((7,), "in a class", False, False),
        "test_I8_slow": ((8,), "slow", True, False),
    }


def test_every_promise_is_borne_and_a_range_is_not_enough() -> None:
    found = bearers()
    assert len(PROMISES) == 23
    render(found, "")
    alone = [each for each in found if 21 not in each.numbers or each.whole]
    assert any(21 in each.numbers for each in alone)
    with pytest.raises(Unborne, match=r"no test bears I21 \(hints are only hints\): write one"):
        render(alone, "")


def test_the_page_names_no_test_that_is_gone() -> None:
    """The other direction waits for `make verify`, so that a new test is not held up by a page."""
    there = {(each.file, each.words) for each in bearers()}
    gone = named(PAGE.read_text(encoding="utf-8")) - {(file, words) for file, words in there}
    assert not gone, "run `make reliability`"


@pytest.mark.verify
def test_the_page_is_what_the_command_would_write() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == render(bearers(), figures_of(text)), "run `make reliability`"


def test_the_page_names_what_it_is_made_of() -> None:
    own = Bearer("tests/test_own.py", "test_I1_kept", tuple(range(1, 24)), "kept", verify=True)
    text = render([own], "As many as there were.")
    assert figures_of(text) == "As many as there were."
    assert named(text) == {("tests/test_own.py", "kept")}
    assert "| I13 | [Schedules](#i13-schedules) | 0 | 1 |" in text


def test_links_lead_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!#)([^)]+)\)", text):
        assert (PAGE.parent / link).is_file(), link
    headings = {
        re.sub(r"[^\w -]", "", line[4:].lower()).replace(" ", "-")
        for line in text.splitlines()
        if line[:4] == "### "
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == headings
