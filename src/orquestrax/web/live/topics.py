"""Topics and viewers: rendered once per distinct view, a small bounded queue per open page."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from orquestrax.web.live.differences import differences
from orquestrax.web.live.frames import Frame, frame

QUEUE: Final = 3  # frames that a slow page may be behind; then it gets a snapshot
Fragments = Mapping[str, str]


class Source(Protocol):
    """One kind of live part of pages. Equal views share everything."""

    every: float  # the least seconds between two looks

    def concerns(self, view: Any, keys: frozenset[UUID], /) -> bool:
        """Whether a change of these instances may change what the view shows."""

    async def look(self, views: Sequence[Any], /) -> Mapping[Any, tuple[int, Fragments]]:
        """Time (µs) and fragments (html by target) of each view, with as few queries as can be."""


class Topic:
    """One distinct view with its viewers: keeps what was rendered last, and sends what differs."""

    def __init__(self, source: Source, view: Hashable) -> None:
        self.source, self.view = source, view
        self.viewers: set[Viewer] = set()
        self.at = 0
        self._fragments: Fragments | None = None
        self._snapshot: Frame | None = None

    @property
    def ready(self) -> bool:
        """Whether there has been a look."""
        return self._fragments is not None

    def publish(self, at: int, fragments: Fragments) -> None:
        """What a look found; where nothing changed, only that is said."""
        before = self._fragments
        self.at, self._fragments = at, fragments
        if before == fragments:
            for viewer in self.viewers:
                viewer.wake()
            return
        self._snapshot = None
        data = self.snapshot() if before is None else frame(at, differences(before, fragments))
        for viewer in self.viewers:
            viewer.put(self, data)

    def snapshot(self) -> Frame:
        """Everything, as one frame; made once for all who need it."""
        if self._snapshot is None:
            self._snapshot = frame(self.at, differences({}, self._fragments or {}))
        return self._snapshot


class Viewer:
    """One open page: what it waits to be sent."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self.topics = tuple(topics)
        self.closed = False
        self._queue: deque[Frame] = deque()
        self._stale: set[Topic] = {topic for topic in self.topics if topic.ready}
        self._wake = asyncio.Event()
        if self._stale:
            self._wake.set()

    @property
    def at(self) -> int:
        """Up to when this page is right: the time of the oldest of its looks."""
        return min((topic.at for topic in self.topics), default=0)

    def put(self, topic: Topic, data: Frame) -> None:
        """Queue a frame; a full queue is dropped, and a snapshot follows once there is room."""
        if topic in self._stale:
            return
        if len(self._queue) >= QUEUE:
            self._queue.clear()
            self._stale.update(topic for topic in self.topics if topic.ready)
        else:
            self._queue.append(data)
        self._wake.set()

    def wake(self) -> None:
        """Nothing is to be sent, but that is to be said: a page knows by it how far it is behind."""
        self._wake.set()

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self._wake.set()

    async def take(self, patience: float) -> list[Frame]:
        """What is to be sent, after at most `patience` seconds; empty if nothing happened."""
        try:
            async with asyncio.timeout(patience):
                await self._wake.wait()
        except TimeoutError:
            return []
        self._wake.clear()
        data = [*self._queue, *(topic.snapshot() for topic in self._stale)]
        self._queue.clear()
        self._stale.clear()
        return data
