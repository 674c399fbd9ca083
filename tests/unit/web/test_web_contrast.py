"""Every pair of text and surface in the stylesheet is at least 4.5:1, in light and dark, by the formula of WCAG 2."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

STATIC = files("orquestrax.web").joinpath("static")
STYLE, PAGES = (STATIC.joinpath(name).read_text(encoding="utf-8") for name in ("style.css", "pages.css"))
TOKEN = re.compile(r"--(?P<name>[\w-]+):\s*light-dark\((?P<light>#\w+),\s*(?P<dark>#\w+)\)")
TOKENS = {found["name"]: (found["light"], found["dark"]) for found in TOKEN.finditer(STYLE)}
TONES = ("running", "completed", "failed", "retrying", "waiting", "scheduled", "idle")
SURFACES = ("bg", "panel", "panel-2")
PAIRS = [
    *((text, surface) for text in ("text", "dim", "accent") for surface in SURFACES),
    *((f"{tone}-text", surface) for tone in TONES for surface in (*SURFACES, f"{tone}-pill")),
    ("on-accent", "accent"),
]
MARKS = [(f"{tone}-mark", surface) for tone in TONES for surface in (*SURFACES, f"{tone}-pill")]
DESIGNED = {
    "bg": ("#f7f8fa", "#0d1117"), "panel": ("#fff", "#151b23"), "panel-2": ("#f1f3f6", "#1b222c"),
    "line": ("#dfe3e8", "#2b333e"), "text": ("#17202b", "#e6edf3"), "dim": ("#566170", "#9aa6b4"),
    "accent": ("#4f46e5", "#a5b4fc"),
    "running-text": ("#1d4ed8", "#93c5fd"), "running-pill": ("#e8f0fe", "#14284d"),
    "completed-text": ("#12693a", "#86e0a8"), "completed-pill": ("#e5f6ec", "#0f2f1e"),
    "failed-text": ("#b42318", "#fda29b"), "failed-pill": ("#fdecea", "#421914"),
    "retrying-text": ("#92500a", "#fbbf6b"), "retrying-pill": ("#fef3e0", "#3d2708"),
    "waiting-text": ("#6d28d9", "#c4b5fd"), "waiting-pill": ("#f2ecfe", "#2a1f4f"),
    "scheduled-text": ("#0e6674", "#7ddbe8"), "scheduled-pill": ("#e2f5f8", "#0c2f37"),
    "idle-text": ("#4b5563", "#aeb8c4"), "idle-pill": ("#eceff3", "#232b36"),
}  # fmt: skip


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_that_of_wcag() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "surface"), PAIRS)
def test_text_can_be_read(text: str, surface: str, theme: int) -> None:
    assert contrast(TOKENS[text][theme], TOKENS[surface][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("mark", "surface"), MARKS)
def test_marks_stand_out(mark: str, surface: str, theme: int) -> None:
    assert contrast(TOKENS[mark][theme], TOKENS[surface][theme]) >= 3


def test_the_palette_is_the_designed_one() -> None:
    assert {name: TOKENS[name] for name in DESIGNED} == DESIGNED


def test_no_rule_has_a_colour_of_its_own() -> None:
    rules = STYLE.partition("@layer reset {")[2] + PAGES
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![\w-]*\s*[{,.:\[])", rules) == []
