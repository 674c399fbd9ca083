"""docs/reliability.md says what the tests' names say."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from tests.chaos.report import Outcomes, Report, Spread, Violation
from tests.reliability import crowd, soak
from tests.reliability.bearers import Bearer, bearers
from tests.reliability.page import FIGURES, NONE, PAGE, Unborne, figures_of, named, render
from tests.reliability.promises import PROMISES
from tests.reliability.reports import NoReport

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
    render(found, {})
    alone = [each for each in found if 21 not in each.numbers or each.whole]
    assert any(21 in each.numbers for each in alone)
    with pytest.raises(Unborne, match=r"no test bears I21 \(hints are only hints\): write one"):
        render(alone, {})


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
    text = render([own], {FIGURES[1]: "As many as there were.\n\n### And more"})
    assert figures_of(text) == {FIGURES[0]: NONE, FIGURES[1]: "As many as there were.\n\n### And more"}
    assert figures_of("") == {}
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


SOAK = Report(
    scenario="soak",
    seed=7,
    command="make soak MINUTES=60 SEED=7",
    minutes=60,
    nodes=4,
    lease=10,
    heartbeat=2,
    poll=1,
    began_at="2026-11-23T05:00:00Z",
    commit="0123456789abcdef",
    seconds=3720,
    operations=Outcomes(ok=240_000, failed=12, unknown=3_400),
    by_kind={"start": Outcomes(ok=9)},
    faults={"kill": 40, "freeze": 20},
    bodies=900_000,
    extra={"takeover": 31, "retry": 5},
    takeovers={"gone": Spread(n=3, p50=0.5, p95=1.25, max=1.5)},
    gap=7.25,
    gap_in=["postgres killed"],
    drains=Spread(n=2, p50=1, p95=2, max=2),
)


def test_the_last_full_run_as_text(tmp_path: Path) -> None:
    path = tmp_path / "soak.json"
    path.write_bytes(msgspec.json.encode(SOAK))
    told = soak.figures(path)
    for line in (
        "| operations of clients | 243,412: 240,000 ok, 12 failed, 3,400 unknown |",
        "| **violations of a promise** | **0** |",
        "| faults (60) | 20 freeze, 40 kill |",
        "| bodies that ran again, by recorded cause | 5 retry, 31 takeover |",
        "| takeover, noticed as gone | p50 0.50 s, p95 1.25 s, max 1.50 s (3) |",
        "| longest gap between two successes | 7.2 s (postgres killed) |",
        "| drain, from SIGTERM to the end | p50 1.00 s, p95 2.00 s, max 2.00 s (2) |",
    ):
        assert line in told.splitlines()
    assert "seed 7" in told
    assert "not a full run" not in told


def test_a_short_run_and_a_broken_promise_are_said(tmp_path: Path) -> None:
    path = tmp_path / "soak.json"
    broken = Violation(promise="I8", instance="k-1", text="twice on one node")
    short = msgspec.structs.replace(SOAK, operations=Outcomes(ok=5), faults={}, violations=[broken])
    path.write_bytes(msgspec.json.encode(short))
    told = soak.figures(path)
    assert "not a full run**, which has at least 200,000 operations and 50 faults" in told
    assert "- I8 k-1: twice on one node" in told


def test_without_a_report_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        NoReport, match=r"there is no .*soak.json: run `make soak MINUTES=60`, then `make reliability`"
    ):
        soak.figures(tmp_path / "soak.json")
    (tmp_path / "crowd.json").write_text("{")
    with pytest.raises(NoReport, match=r"crowd.json is no report .*: run `python -m bench.crowd`, then"):
        crowd.figures(tmp_path / "crowd.json")
