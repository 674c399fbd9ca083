"""The live hub: hints become frames for open pages.

    hint ─▶ dirty views ─▶ tick of their source ─▶ one look for all ─▶ rendered once per view ─▶ viewers

No viewer, no query, no listening. Each view is also looked at once a second, so that open pages stay right
with hints off; a database that does not answer shows as pages that fall behind, and is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

from orquestrax.base.errors import OrquestraxError
from orquestrax.core.store.hints import Hints
from orquestrax.web.live.encodings import Encoding, Plain
from orquestrax.web.live.frames import Frame, beat
from orquestrax.web.live.topics import Source, Topic, Viewer

log = logging.getLogger(__name__)
POLL: Final = 1.0
BEAT: Final = 1.0
RETRY: Final = Frame(b"retry: 500\n\n")
SILENCE: Final = Frame(b": nothing has been looked at yet\n\n")


class Hub:
    """One per app. Belongs to the loop that serves the app."""

    def __init__(self, hints: Hints, *, poll: float = POLL) -> None:
        self._hints, self._poll = hints, poll
        self._desks: dict[Source, Desk] = {}
        self._viewers: set[Viewer] = set()
        self._unlisten: Callable[[], None] | None = None

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return len(self._viewers)

    async def stream(
        self, subscriptions: Sequence[tuple[Source, Hashable]], encoding: Encoding | None = None
    ) -> AsyncIterator[bytes]:
        """The events of one open page, until it goes away or the hub closes; snapshots come first."""
        encoding = encoding or Plain()
        with self._joined(subscriptions) as viewer:
            yield encoding.head + encoding.add(RETRY)
            while not viewer.closed:
                for frame in await viewer.take(BEAT) or [beat(viewer.at) if viewer.at else SILENCE]:
                    yield encoding.add(frame)
            if last := encoding.end():
                yield last

    def close(self) -> None:
        """End all streams: the server stops."""
        for viewer in self._viewers:
            viewer.close()

    @contextmanager
    def _joined(self, subscriptions: Sequence[tuple[Source, Hashable]]) -> Iterator[Viewer]:
        desks = [self._desks.setdefault(source, Desk(source, self._poll)) for source, _ in subscriptions]
        topics = [desk.topic(view) for desk, (_, view) in zip(desks, subscriptions, strict=True)]
        viewer = Viewer(topics)
        self._viewers.add(viewer)
        if self._unlisten is None:
            self._unlisten = self._hints.listen("view", self._hint)
        for desk, topic in zip(desks, topics, strict=True):
            desk.join(topic, viewer)
        try:
            yield viewer
        finally:
            for desk, topic in zip(desks, topics, strict=True):
                desk.leave(topic, viewer)
            self._viewers.discard(viewer)
            if not self._viewers and self._unlisten is not None:
                self._unlisten()
                self._unlisten = None

    def _hint(self, payload: str) -> None:
        keys = None if payload == "*" else frozenset(map(UUID, payload.split()))
        for desk in self._desks.values():
            desk.hint(keys)


class Desk:
    """Looks after the watched views of one source: collects the dirty ones, looks at them together."""

    def __init__(self, source: Source, poll: float) -> None:
        self._source, self._poll = source, poll
        self._topics: dict[Hashable, Topic] = {}
        self._dirty: set[Topic] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def topic(self, view: Hashable) -> Topic:
        """The topic of a view, shared by all who watch it."""
        return self._topics.setdefault(view, Topic(self._source, view))

    def join(self, topic: Topic, viewer: Viewer) -> None:
        """One more page watches; its first frame is as fresh as a look from now."""
        topic.viewers.add(viewer)
        self._mark([topic])
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"live {type(self._source).__name__}")

    def leave(self, topic: Topic, viewer: Viewer) -> None:
        """A page has gone; what nobody watches is forgotten, and without topics nothing runs."""
        topic.viewers.discard(viewer)
        if not topic.viewers:
            self._topics.pop(topic.view, None)
            self._dirty.discard(topic)
        if not self._topics and self._task is not None:
            self._task.cancel()
            self._task = None

    def hint(self, keys: frozenset[UUID] | None) -> None:
        """These instances changed; None: any may have."""
        self._mark([t for t in self._topics.values() if keys is None or self._source.concerns(t.view, keys)])

    def _mark(self, topics: Sequence[Topic]) -> None:
        if topics:
            self._dirty.update(topics)
            self._wake.set()

    async def _run(self) -> None:
        """A look at what is dirty whenever something is, at all of it once a `poll`."""
        clock = asyncio.get_running_loop().time
        everything_at = clock()
        while self._topics:
            self._wake.clear()
            now = clock()
            if now >= everything_at:
                everything_at, self._dirty = now + self._poll, set(self._topics.values())
            await self._look(list(self._dirty))
            await asyncio.sleep(self._source.every)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(everything_at):
                    await self._wake.wait()

    async def _look(self, topics: Sequence[Topic]) -> None:
        if not topics:
            return
        self._dirty.difference_update(topics)
        try:
            found = await self._source.look([topic.view for topic in topics])
        except OrquestraxError as error:
            log.warning("open pages fall behind: %s", error)
        except Exception:  # the pages say that they are behind, the log says why
            log.exception("open pages fall behind")
        else:
            for topic in topics:
                if topic.view in found:
                    topic.publish(*found[topic.view])
