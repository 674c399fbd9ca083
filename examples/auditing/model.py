"""What an audit finds, as values that go through the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

MOST: Final = 200  # findings of one kind that a report names; the others are counted

Kind = Literal["wheel", "editable", "egg", "no RECORD"]


@dataclass(frozen=True, slots=True)
class Place:
    """A distribution: the folder that its files are relative to, and its dist-info or egg-info in there."""

    site: str
    metadata: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as recorded, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Licence:
    """Under what it may be used, and where in the metadata that stands."""

    name: str
    source: str


@dataclass(slots=True)
class Checked:
    """One distribution against its RECORD; `verified` files have the recorded hash, `unhashed` ones have none."""

    name: str
    version: str
    place: Place
    kind: Kind
    licence: Licence
    verified: int = 0
    unhashed: int = 0
    size: int = 0
    modified: list[Fault] = field(default_factory=list)
    missing: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def flagged(self) -> bool:
        return bool(self.modified or self.missing)


@dataclass(frozen=True, slots=True)
class Stray:
    """A file that no RECORD lists, and the distribution in whose folder it lies, if in one's."""

    path: str
    beside: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody says of an environment with findings: the payload of the signal `approval`."""

    accepted: bool
    by: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an audit came to. `decision` is None where nothing was found that needs one."""

    environment: str
    distributions: int
    verified: int
    flagged: list[str]
    strays: int
    decision: Decision | None
    reports: list[str]
