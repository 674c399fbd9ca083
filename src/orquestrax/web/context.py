"""What every route of the web room works with, made once per app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Request

from orquestrax.client.client import Client
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.webverbs import WebStore
from orquestrax.define.workflow import Workflow
from orquestrax.settings import Settings


class Neighbours(Protocol):
    """The nodes of this machine that `dev` has started, and ends when it is asked to."""

    @property
    def pids(self) -> frozenset[int]:
        """Their processes."""

    def kill(self, pid: int, /) -> None:
        """End the process of one of them at once, as a crash would; another takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContext:
    """The services behind the pages and the API.

    client     the node's own client
    dashboard  starts from the dashboard: stored as pending, created by "dashboard"
    reads      what only pages ask for
    workflows  the code that is here, by name: used to check input against its types
    neighbours nodes that may be killed by a button: in `dev`, else None
    """

    client: Client
    dashboard: Client
    hints: Hints
    store: ClientStore
    reads: WebStore
    settings: Settings
    workflows: Mapping[str, Workflow[Any, Any]]
    neighbours: Neighbours | None = None


def context_of(request: Request) -> WebContext:
    """The context of the app that serves this request."""
    context: WebContext = request.app.state.context
    return context
