"""Hosts for workflows, and their end after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.replay.kit import Host, Main, close_all


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
