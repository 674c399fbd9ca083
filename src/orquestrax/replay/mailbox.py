"""Signals that wait for a receiver, and receivers that wait for a signal: a queue per name.

A signal goes to the receiver that has waited longest. It cannot be lost to one that is cancelled just then:
the loop's queue is empty when an event is applied, so the receiver's wake-up is the first thing to run.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from orquestrax.model.events import MessageReceived


class Mailbox:
    """All signals of one instance that no code has taken, and the numbers of its open receives."""

    __slots__ = ("_receivers", "_signals")

    def __init__(self) -> None:
        self._signals: dict[str, deque[MessageReceived]] = {}
        self._receivers: dict[str, OrderedDict[int, None]] = {}

    def put(self, signal: MessageReceived) -> int | None:
        """The receive that this signal answers; without one the signal is kept."""
        receivers = self._receivers.get(signal.name)
        if receivers:
            number, _ = receivers.popitem(last=False)
            self._tidy(signal.name, receivers)
            return number
        self._signals.setdefault(signal.name, deque()).append(signal)
        return None

    def get(self, name: str) -> MessageReceived | None:
        """The oldest kept signal of this name."""
        signals = self._signals.get(name)
        if not signals:
            return None
        signal = signals.popleft()
        if not signals:
            del self._signals[name]
        return signal

    def wait(self, name: str, number: int) -> None:
        """This receive waits from now on."""
        self._receivers.setdefault(name, OrderedDict())[number] = None

    def leave(self, name: str, number: int) -> None:
        """This receive waits no longer."""
        receivers = self._receivers.get(name)
        if receivers is not None:
            receivers.pop(number, None)
            self._tidy(name, receivers)

    def _tidy(self, name: str, receivers: OrderedDict[int, None]) -> None:
        if not receivers:
            del self._receivers[name]

    def kept(self) -> list[MessageReceived]:
        """The kept signals, in the order they came."""
        if not self._signals:
            return []
        kept = [signal for signals in self._signals.values() for signal in signals]
        return sorted(kept, key=lambda signal: signal.number)
