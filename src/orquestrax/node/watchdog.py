"""Notices that the node's event loop no longer turns, says who holds it, and gives a hung node up.

A thread asks the loop, about once a second, to say that it still turns. Only time in which this thread itself could
run counts, so neither a stopped process nor a suspended machine looks like a hung loop.

stuck  a warning names the instance or step and the line that holds the loop; again after 2, 4, 8 … times as long
hung   the node is of no use, and its heartbeats would keep others from taking over: they stop. A process that is
       nothing but a node ends at once, with its stacks and one last line on stderr; its successor goes on from the
       histories, which have lost nothing.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from orquestrax.node.holding import holder
from orquestrax.replay.loop import Loop

log = logging.getLogger(__name__)
TICK: Final = 1.0  # seconds between questions
HUNG: Final = 70  # exit status of a process whose loop hung: EX_SOFTWARE
LAST_WORDS: Final = 5.0  # seconds to write them, whoever holds the log's locks


class Watchdog:
    """Made and started on the loop's own thread.

    stuck_after  seconds until the first warning
    hung_after   seconds until the node is given up
    exits        whether the process ends then; else only its heartbeats stop
    loops        the loops of the workflows in memory
    """

    def __init__(
        self, *, stuck_after: float, hung_after: float, exits: bool, loops: Callable[[], Iterable[Loop]]
    ) -> None:
        self._stuck_after, self._hung_after, self._exits = stuck_after, hung_after, exits
        self._loops = loops
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._tick = min(TICK, stuck_after / 4)
        self._stopping = threading.Event()
        self._turned = True
        self._stood_still = 0.0
        self._warn_at = stuck_after
        self._given_up = False
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopping.set()

    def turns(self) -> bool:
        """Whether the node may say that it lives. Called from any thread."""
        return self._stood_still < self._hung_after

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._stopping.wait(self._tick):
            now = time.monotonic()
            elapsed, looked = now - looked, now
            if self._turned:
                self._begin_anew()
                try:
                    self._loop.call_soon_threadsafe(self._turn)
                except RuntimeError:  # closed: there is nothing left to watch
                    return
            elif self._loop.is_running():
                self._stood_still += min(elapsed, 2 * self._tick)
                self._judge()

    def _turn(self) -> None:
        self._turned = True

    def _begin_anew(self) -> None:
        if self._stood_still >= self._stuck_after:
            log.warning("the event loop turns again, after about %.0f s", self._stood_still)
        self._turned, self._given_up = False, False
        self._stood_still, self._warn_at = 0.0, self._stuck_after

    def _judge(self) -> None:
        hung = self._stood_still >= self._hung_after and not self._given_up
        if not hung and self._stood_still < self._warn_at:
            return
        found = holder(self._loop, self._watched, self._loops)
        if found is None:
            self._stood_still = 0.0
            return
        sentence = f"the event loop has not turned for {self._stood_still:.0f} s: {found}"
        if self._stood_still >= self._warn_at:
            self._warn_at *= 2
        if hung:
            self._give_up(sentence)
        else:
            log.warning("%s", sentence)

    def _give_up(self, sentence: str) -> None:
        self._given_up = True
        if self._exits:
            self._end_process(sentence)
        log.error("%s; this node's heartbeats stop, so that others take over", sentence)

    def _end_process(self, sentence: str) -> NoReturn:
        """Handlers and flushes may wait for what the hung thread holds: not for long."""
        last = threading.Timer(LAST_WORDS, os._exit, (HUNG,))
        last.daemon = True
        last.start()
        if sys.stderr is not None:
            faulthandler.dump_traceback(sys.__stderr__ or sys.stderr)
        log.critical("%s; process %d ends, so that others take over", sentence, os.getpid())
        os._exit(HUNG)
