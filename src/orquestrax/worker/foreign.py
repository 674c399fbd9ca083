"""What a body raised in another process, where its exception has stayed."""

from __future__ import annotations

from collections.abc import Iterable


class ForeignError(Exception):
    """Stands for an exception of another process.

    encoded  as `base.failures` stores it
    lineage  (module, qualified name) of its class and of those that it derives from
    after    seconds that it asks for before the next attempt, as RetryAfter does; None if it does not
    """

    def __init__(self, encoded: bytes, lineage: Iterable[tuple[str, str]], after: float | None) -> None:
        super().__init__()
        self.encoded, self.lineage, self.after = encoded, frozenset(lineage), after

    def is_one_of(self, classes: tuple[type[BaseException], ...]) -> bool:
        """As isinstance would say of the exception itself."""
        return any((cls.__module__, cls.__qualname__) in self.lineage for cls in classes)
