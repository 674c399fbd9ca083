"""Semaphores and conditions, as Python 3.13 has them: what one waiter leaves, the next one gets.

Before, a semaphore woke one waiter where several could go on, and a notified waiter that was cancelled took
the notification with it.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from typing import Any


async def acquire(self: Any) -> bool:
    """`Semaphore.acquire`."""
    if not self.locked():
        self._value -= 1
        return True
    if self._waiters is None:
        self._waiters = deque()
    turn = self._get_loop().create_future()
    self._waiters.append(turn)
    try:
        try:
            await turn
        finally:
            self._waiters.remove(turn)
    except CancelledError:
        if turn.done() and not turn.cancelled():
            self._value += 1  # it was our turn, and we do not take it
        raise
    finally:
        while self._value > 0 and _wake(self._waiters, result=True):
            self._value -= 1
    return True


async def wait(self: Any) -> bool:
    """`Condition.wait`."""
    if not self.locked():
        raise RuntimeError("cannot wait on un-acquired lock")
    notified = self._get_loop().create_future()
    self.release()
    try:
        try:
            self._waiters.append(notified)
            try:
                await notified
            finally:
                self._waiters.remove(notified)
        finally:
            await _acquire_again(self)
    except BaseException:
        _wake(self._waiters, result=False)
        raise
    return True


async def _acquire_again(condition: Any) -> None:
    """However often it is cancelled; then the latest cancellation goes on."""
    cancelled = None
    while True:
        try:
            await condition.acquire()
            break
        except CancelledError as error:
            cancelled = error
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            cancelled = None  # no cycle through its traceback


def _wake(waiters: Any, *, result: bool) -> bool:
    """The first that is not awake yet; False if there is none."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(result)
            return True
    return False
