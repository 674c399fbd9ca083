"""Files in an environment that no RECORD lists: left behind, or put there by somebody."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from auditing.model import MOST, Place, Stray
from auditing.record import Entry, read_record

OWN: Final = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "RECORD"})  # what installers add


def find_strays(places: Iterable[Place]) -> list[Stray]:
    """Unlisted files of all folders of these distributions, at most MOST and one that counts the rest.

    What was compiled from a listed source is expected; links are not followed.
    """
    sites: dict[Path, list[Place]] = {}
    for place in places:
        sites.setdefault(Path(place.site), []).append(place)
    listed, owners = _listed(sites)
    found = [
        Stray(str(file), owners.get(file.parent))
        for site, here in sites.items()
        for file in _files(site, _unrecorded(here))
        if file not in listed and not _expected(file, listed)
    ]
    found.sort(key=lambda stray: stray.path)
    if len(found) > MOST:
        found[MOST:] = [Stray(f"… and {len(found) - MOST} more", None)]
    return found


def _listed(sites: dict[Path, list[Place]]) -> tuple[set[Path], dict[Path, str]]:
    """All listed files, and to which distribution their folders belong."""
    listed: set[Path] = set()
    owners: dict[Path, str] = {}
    for site, places in sites.items():
        for place in places:
            record = site / place.metadata / "RECORD"
            if not record.is_file():
                continue
            for line in read_record(record):
                if isinstance(line, Entry):
                    file = Path(os.path.normpath(site / line.path))
                    listed.add(file)
                    if file.parent != site:
                        owners.setdefault(file.parent, place.metadata.partition("-")[0])
    return listed, owners


def _unrecorded(places: list[Place]) -> frozenset[str]:
    """Folders of distributions without a RECORD: nobody can say what belongs there."""
    names: set[str] = set()
    for place in places:
        metadata = Path(place.site, place.metadata)
        if not (metadata / "RECORD").is_file():
            names.add(place.metadata)
            top = metadata / "top_level.txt"
            if top.is_file():
                names.update(top.read_text(encoding="utf-8", errors="replace").split())
    return frozenset(names)


def _files(site: Path, leave: frozenset[str]) -> Iterator[Path]:
    for folder, folders, files in os.walk(site):
        if Path(folder) == site:
            folders[:] = [name for name in folders if name not in leave]
        yield from (
            Path(folder, name)
            for name in files
            if Path(folder) != site or (name not in leave and name.partition(".")[0] not in leave)
        )


def _expected(file: Path, listed: set[Path]) -> bool:
    if file.suffix == ".pyc" and file.parent.name == "__pycache__":
        source = file.parent.parent / f"{file.name.partition('.')[0]}.py"
        return source in listed
    return file.parent.suffix == ".dist-info" and file.name in OWN
