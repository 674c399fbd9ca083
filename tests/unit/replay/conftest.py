"""Hosts for workflows, and their end after each test."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.replay.kit import Host, Main, close_all
from tests.unit.replay.listening import Listener


@pytest.fixture(params=[False, True], ids=["live", "rebuilt"])
def host(request: pytest.FixtureRequest) -> Callable[..., Host]:
    """Makes hosts, once kept in memory and once rebuilt at every event."""

    def make(main: Main, **names: Any) -> Host:
        return Host(main, evict=request.param, **names)

    return make


@pytest.fixture(autouse=True)
def all_closed() -> Iterator[None]:
    """No test leaves an instance behind."""
    yield
    close_all()


@pytest.fixture
def listener(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """The test must be silent, also after a garbage collection."""
    listener = Listener()
    monkeypatch.setattr(sys, "unraisablehook", listener.unraisable)
    root = logging.getLogger()
    root.addHandler(listener)
    yield listener
    gc.collect()
    gc.collect()
    root.removeHandler(listener)
    assert listener.heard == []
    assert capfd.readouterr() == ("", "")
