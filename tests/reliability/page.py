"""The page as text: the promises with their tests, and the last full run between them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.reliability.bearers import Bearer
from tests.reliability.promises import PROMISES, Promise

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
FIGURES: Final = ("The last full run", "Ten nodes under full load")  # sections that runs fill
NONE: Final = "There was none yet."
TESTS: Final = "## Each promise and its tests"
WIDTH: Final = 120
HEAD: Final = """\
# Reliability: what is promised, and what shows it

This page is made by `make reliability`: the tests by their names, the figures from the report of the last full run of
`make soak`. What the promises mean for a workflow, and what they ask of whoever operates a cluster, is in
[What is guaranteed](guarantees.md).

| | promise | tests in `make test` | in `make verify` |
|---|---|---:|---:|
"""


class Unborne(Exception):
    """A promise that no test bears; the message names it."""


def render(found: Sequence[Bearer], figures: Mapping[str, str]) -> str:
    """The whole page; `figures` are the sections that runs fill, by their titles. Raises Unborne."""
    owns = {
        promise: [b for b in found if promise.number in b.numbers and not b.whole] for promise in PROMISES
    }
    check(owns)
    rows = "".join(_row(promise, own) for promise, own in owns.items())
    sections = "\n".join(_section(promise, own) for promise, own in owns.items())
    runs = "".join(f"## {title}\n\n{figures.get(title, NONE).strip()}\n\n" for title in FIGURES)
    return f"{HEAD}{rows}\n{_everything(found)}\n{runs}{TESTS}\n\n{sections}"


def check(owns: dict[Promise, list[Bearer]]) -> None:
    """Every promise is borne by a test of its own. Raises Unborne."""
    for promise, own in owns.items():
        if not own and not promise.later:
            raise Unborne(
                f"no test bears {promise.name} ({promise.title.lower()}): "
                f"write one, with `_{promise.name}_` in its name"
            )


def figures_of(text: str) -> dict[str, str]:
    """The sections that runs fill, of a page that is there."""
    behind = {title: text.partition(f"\n## {title}\n")[2] for title in FIGURES}
    return {title: told.partition("\n## ")[0].strip() for title, told in behind.items() if told}


def named(text: str) -> set[tuple[str, str]]:
    """The tests that a page names: file, and the words of the name."""
    found, file = set[tuple[str, str]](), ""
    for line in text.partition(TESTS)[2].splitlines():
        if line.startswith("- [`"):
            file = line.removeprefix("- [`").partition("`]")[0]
        elif line.startswith("  - "):
            found.add((file, line.removeprefix("  - ").removesuffix(" *(verify)*")))
    return found


def _row(promise: Promise, own: Sequence[Bearer]) -> str:
    if promise.later and not own:
        return f"| {promise.name} | [{promise.title}](#{_anchor(promise)}) | {promise.later} | |\n"
    verify = sum(each.verify for each in own)
    return f"| {promise.name} | [{promise.title}](#{_anchor(promise)}) | {len(own) - verify} | {verify} |\n"


def _section(promise: Promise, own: Sequence[Bearer]) -> str:
    words = f"{promise.words} *{promise.later.capitalize()}.*" if promise.later else promise.words
    told = textwrap.fill(words, WIDTH, break_on_hyphens=False)
    return f"### {promise.name}: {promise.title}\n\n{told}\n\n{_listed(own)}".rstrip() + "\n"


def _everything(found: Iterable[Bearer]) -> str:
    """The tests that judge all promises at once."""
    whole = [each for each in found if each.whole]
    return (
        "Besides, these judge all of them at once, whatever strikes, and "
        "[one checker](../tests/checker.py) does so at\n"
        f"the end of every fault test:\n\n{_listed(whole)}"
    )


def _listed(own: Iterable[Bearer]) -> str:
    """By file. A test may bear several numbers, and is listed under each."""
    lines = list[str]()
    for file, tests in groupby(own, key=lambda each: each.file):
        lines.append(f"- [`{file}`](../{file})")
        lines += [f"  - {each.words}{' *(verify)*' * each.verify}" for each in tests]
    return "".join(f"{line}\n" for line in lines)


def _anchor(promise: Promise) -> str:
    """How GitHub makes an anchor of the heading."""
    kept = "".join(c for c in f"{promise.name}: {promise.title}".lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")
