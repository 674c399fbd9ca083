"""`import orquestrax` hands on what it promises, and loads neither the web nor the command line."""

from __future__ import annotations

import subprocess
import sys

import orquestrax
from orquestrax.base import errors


def test_all_names_are_there_and_sorted():
    assert list(orquestrax.__all__) == sorted(orquestrax.__all__)
    for name in orquestrax.__all__:
        assert getattr(orquestrax, name) is not None


def test_every_error_of_the_tree_is_public():
    tree = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert tree <= set(orquestrax.__all__)


def test_the_import_is_light():
    code = "import sys, orquestrax; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "orquestrax.define.step" in loaded
    assert not loaded & {
        "fastapi",
        "starlette",
        "uvicorn",
        "typer",
        "rich",
        "jinja2",
        "pydantic",
        "watchfiles",
    }
