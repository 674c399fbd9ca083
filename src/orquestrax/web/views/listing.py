"""The list of instances: what is filtered for, and its rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from orquestrax.core.store.clientverbs import EventView
from orquestrax.core.store.webverbs import ListRow
from orquestrax.web.views.headline import Part, headline
from orquestrax.web.views.statuses import STATUSES, Look


@dataclass(frozen=True, slots=True)
class Filters:
    """The state of the list, as its address has it."""

    status: str = ""
    definition: str = ""
    search: str = ""
    before: UUID | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filters:
        """From an address; what makes no sense is left out."""
        status = query.get("status", "")
        return cls(
            status=status if status in STATUSES else "",
            definition=query.get("definition", "")[:200].replace("\0", ""),
            search=query.get("search", "").strip()[:255].replace("\0", ""),
            before=_key(query.get("before", "")),
        )

    def query(self, **changes: str) -> dict[str, str]:
        """The address's query with these changes; a change of filters goes back to the first page."""
        kept = {"status": self.status, "definition": self.definition, "search": self.search}
        return {name: value for name, value in (kept | changes).items() if value}

    @property
    def narrow(self) -> bool:
        """Whether anything is filtered for."""
        return bool(self.status or self.definition or self.search)


def _key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the template shows it; `active` while its clock runs."""

    row: ListRow
    look: Look
    parts: tuple[Part, ...]

    @property
    def id(self) -> str:
        """The element's id."""
        return f"i-{self.row.key}"


def rows_of(rows: Sequence[ListRow], activity: Mapping[UUID, Sequence[EventView]], now: int) -> list[Row]:
    """The rows of a page."""
    return [
        Row(row, STATUSES[row.status], tuple(headline(row, activity.get(row.key, ()), now))) for row in rows
    ]


ACTIVE = frozenset({"running", "waiting", "paused"})


def keys_in_motion(rows: Sequence[ListRow]) -> list[UUID]:
    """The instances of which the last events tell what they are at."""
    return [row.key for row in rows if row.status in ACTIVE]
