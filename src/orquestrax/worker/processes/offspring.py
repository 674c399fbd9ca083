"""One child process, seen from the node.

::

    spawned ── Ready ──▶ idle ── run ──▶ busy ── outcome ──▶ idle …  close ──▶ leaving ──▶ gone
                  └── ends by itself, or is killed, at any time ─────────────────────────▶ gone
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from orquestrax.worker.attempt import Attempt
from orquestrax.worker.processes.deaths import crash, cut_off, no_start
from orquestrax.worker.processes.frames import Frames
from orquestrax.worker.processes.messages import (
    Begin,
    Begun,
    Logged,
    Order,
    Outcome,
    Place,
    Raised,
    Ready,
    Returned,
    Run,
    Warm,
    decode_news,
    encode,
)
from orquestrax.worker.processes.relay import handle, levels
from orquestrax.worker.processes.warding import Warden
from orquestrax.worker.pulse import Told

_PROGRAM: Final = "orquestrax.worker.processes.child"
_LAST_WORDS: Final = 0.2  # seconds that what an ended child has still said may take to be read
_AT_ONCE: Final = 2.0  # seconds that a killed child is waited for where nothing else may happen meanwhile


class Offspring:
    """Made by `Offspring.spawn`. `jobs` counts what it has run, `spent` says not to use it again."""

    def __init__(
        self, process: subprocess.Popen[bytes], warden: Warden, on_begun: Callable[[Attempt], None]
    ) -> None:
        self._process, self._warden, self._on_begun = process, warden, on_begun
        self._loop = asyncio.get_running_loop()
        self._frames = Frames(self._on_frame, self._on_lost)
        self._lost = False
        self._attempt: Attempt | None = None
        self._outcome: asyncio.Future[Outcome] | None = None
        self.ready: Final[asyncio.Future[None]] = self._loop.create_future()
        self.gone: Final[asyncio.Future[int]] = self._loop.create_future()
        self.jobs, self.spent, self.idle_since = 0, False, 0.0

    @classmethod
    async def spawn(cls, warden: Warden, on_begun: Callable[[Attempt], None]) -> Offspring:
        """Start a child; `on_begun` is called when a body begins that asked for it. Errors: OSError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = _popen(theirs)
        except BaseException:
            ours.close()
            raise
        self = cls(process, warden, on_begun)
        threading.Thread(target=self._wait, name=f"child {process.pid}", daemon=True).start()
        warden.add(process.pid)
        await self._loop.create_connection(lambda: self._frames, sock=ours)
        self._send(Begin(os.getpid(), list(sys.path), list(sys.argv), levels()))
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def warm(self, places: list[Place]) -> None:
        """Let it import what it will be asked for."""
        self._send(Warm(places))

    async def run(self, attempt: Attempt, order: Run) -> Outcome:
        """Run a body. Errors: ProcessCrashed if the child ends before its outcome; a cancel kills the child first."""
        self._attempt = attempt
        self._outcome = self._loop.create_future()
        self.jobs += 1
        self._send(order)
        try:
            return await self._outcome
        except asyncio.CancelledError:
            self.kill()
            await asyncio.wait([self.gone])
            raise
        finally:
            self._attempt = self._outcome = None

    def kill(self) -> None:
        """Kill it with all that it has started, at once. The pid is its own until its end has been seen."""
        self.spent = True
        if not self.gone.done():
            self._kill_group()

    def close(self) -> None:
        """Let it end: it closes its resources and goes."""
        self.spent = True
        self._frames.close()

    def abandon(self) -> None:
        """Kill it, and see to its end here and now: the loop may not live on."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_AT_ONCE)
            self._bury()

    def _send(self, order: Order) -> None:
        self._frames.send(encode(order))

    # -- what it says ------------------------------------------------------------------------------------------------

    def _on_frame(self, frame: bytes) -> None:
        try:
            news = decode_news(frame)
        except msgspec.DecodeError:  # a body that writes to descriptors it does not know
            self.kill()
            return
        if isinstance(news, Ready):
            if not self.ready.done():
                self.ready.set_result(None)
        elif isinstance(news, Returned | Raised):
            if self._outcome is not None and not self._outcome.done():
                self._outcome.set_result(news)
        elif self._attempt is not None:
            self._hear(self._attempt, news)

    def _hear(self, attempt: Attempt, news: Begun | Logged | Told) -> None:
        """What a body says on its way."""
        if isinstance(news, Begun):
            self._on_begun(attempt)
        elif isinstance(news, Told):
            attempt.say(news)
        else:
            handle(attempt, news.record)

    def _on_lost(self) -> None:
        """Its end of the socket is closed: nothing more can come, so it is of no use, even if it lives."""
        self._lost = True
        if self.gone.done():
            self._settle()
        elif self._attempt is not None:
            # The usual reason is its end, of which the next look at its process tells.
            self._loop.call_later(_LAST_WORDS, self._cut_off)

    def _cut_off(self) -> None:
        if self._attempt is not None and self._outcome is not None and not self.gone.done():
            self.kill()
            if not self._outcome.done():
                self._outcome.set_exception(cut_off(self._attempt.job.step.name))

    # -- its end -----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """A thread waits for its end: the same on every system and loop, and nothing to be closed with the loop."""
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)  # its pid stays its own until `_bury`
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._bury)

    def _bury(self) -> None:
        """It has ended. What it started goes too, before its pid can mean anything else."""
        if self.gone.done():
            return
        self.spent = True
        self._kill_group()
        self.gone.set_result(self._process.wait())
        self._warden.remove(self.pid)
        if self._lost:
            self._settle()
        else:  # what it said last may still be on its way
            self._loop.call_later(_LAST_WORDS, self._settle)

    def _settle(self) -> None:
        """Nothing more will come of it."""
        self._frames.close()
        status = self.gone.result()
        if not self.ready.done():
            self.ready.set_exception(no_start(status))
        if self._outcome is not None and not self._outcome.done():
            assert self._attempt is not None
            job = self._attempt.job
            self._outcome.set_exception(crash(job.step.name, status, job.step.options.memory))

    def _kill_group(self) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


def _popen(theirs: socket.socket) -> subprocess.Popen[bytes]:
    """A new program that gets its end of the socket and nothing else that is open here."""
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", _PROGRAM, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
        start_new_session=True,  # a group to be killed as one, and none of the terminal's business
    )
