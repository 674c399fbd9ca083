"""What a node does for the cluster: its roles, the code that it has, the queues that it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from orquestrax.define.catalogue import collect
from orquestrax.define.workflow import Workflow
from orquestrax.model.options import Executor
from orquestrax.model.queues import ALL, NONE, Served
from orquestrax.settings import Settings
from orquestrax.worker.slots import DEFAULT_SLOTS

WORKING: Final = frozenset({"engine", "worker"})  # roles that need an incarnation


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Of one node, for as long as its process lives.

    workflows  whose instances it owns: none without the role of an engine
    steps      whose bodies it can run, by name
    served     the queues that it takes steps from: none without the role of a worker
    slots      how many bodies at once, by executor
    """

    roles: tuple[str, ...]
    workflows: Mapping[str, Workflow[..., Any]]
    steps: Mapping[str, Any]
    served: Served = ALL
    slots: Mapping[Executor, int] = DEFAULT_SLOTS

    @property
    def owns(self) -> bool:
        """Whether it owns instances."""
        return "engine" in self.roles

    @property
    def works(self) -> bool:
        """Whether it has an incarnation at all."""
        return not WORKING.isdisjoint(self.roles)


def part_of(
    settings: Settings,
    workflows: Mapping[str, Workflow[..., Any]],
    steps: Mapping[str, Any],
    roles: tuple[str, ...],
) -> Part:
    """The part that these settings give it; the steps that its workflows see are its, too."""
    own = dict(DEFAULT_SLOTS)
    if settings.slots is not None:
        own |= {"async": settings.slots, "thread": settings.slots}
    if settings.processes is not None:
        own["process"] = settings.processes
    return Part(
        roles=roles,
        workflows=workflows if "engine" in roles else {},
        steps=collect(workflows=workflows.values(), steps=steps.values()).steps,
        served=settings.queues if "worker" in roles else NONE,
        slots=own,
    )
