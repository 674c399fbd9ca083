"""The attempts under way, seen as jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orquestrax.model.jobs import BodyKey, Job
from orquestrax.worker.attempt import Attempt


class Jobs(Mapping[BodyKey, Job]):
    """A view of the runner's attempts by key, for those that know jobs alone."""

    def __init__(self, attempts: Mapping[BodyKey, Attempt]) -> None:
        self._attempts = attempts

    def __getitem__(self, key: BodyKey) -> Job:
        return self._attempts[key].job

    def __contains__(self, key: object) -> bool:
        return key in self._attempts

    def __iter__(self) -> Iterator[BodyKey]:
        return iter(self._attempts)

    def __len__(self) -> int:
        return len(self._attempts)
