"""One distribution against its RECORD."""

from __future__ import annotations

import hmac
import json
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

from auditing.licences import licence_of
from auditing.model import MOST, Checked, Fault, Kind, Place
from auditing.record import ALGORITHMS, BrokenLine, Entry, digest_of, read_record


def check_distribution(place: Place) -> Checked:
    """Hash every file that is listed, and say what differs."""
    site, metadata = Path(place.site), Path(place.site, place.metadata)
    told = _metadata(metadata)
    name, _, version = metadata.stem.partition("-")
    kind, notes = _kind(metadata)
    checked = Checked(
        name=told.get("Name") or name,
        version=told.get("Version") or version or "?",
        place=place,
        kind=kind,
        licence=licence_of(told),
        notes=notes,
    )
    if kind in ("wheel", "editable"):
        _check_record(site, metadata / "RECORD", checked)
    elif kind == "egg":
        _check_presence(metadata, checked)
    _shorten(checked)
    return checked


def _metadata(folder: Path) -> Message:
    """METADATA of a wheel, PKG-INFO of an egg, which may also be the egg-info itself."""
    for file in (folder / "METADATA", folder / "PKG-INFO", folder):
        if file.is_file():
            return Parser().parsestr(file.read_text(encoding="utf-8", errors="replace"), headersonly=True)
    return Message()


def _kind(metadata: Path) -> tuple[Kind, list[str]]:
    if metadata.suffix == ".egg-info":
        return "egg", ["installed as an egg: it has no hashes, only presence is checked"]
    if not (metadata / "RECORD").is_file():
        return "no RECORD", ["it has no RECORD: nothing can be verified"]
    origin = _origin(metadata)
    if origin.get("dir_info", {}).get("editable"):
        return "editable", [f"editable: the code itself is in {origin.get('url', '?')} and is not recorded"]
    return "wheel", []


def _origin(metadata: Path) -> dict[str, Any]:
    try:
        origin = json.loads((metadata / "direct_url.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return origin if isinstance(origin, dict) else {}


def _check_record(site: Path, record: Path, checked: Checked) -> None:
    seen: set[str] = set()
    try:
        for line in read_record(record):
            if isinstance(line, BrokenLine):
                checked.modified.append(Fault(f"RECORD, line {line.number}", line.reason))
            elif line.path in seen:
                checked.notes.append(f"{line.path} is listed twice")
            else:
                seen.add(line.path)
                _check_entry(site, line, checked)
    except OSError as error:
        checked.modified.append(Fault("RECORD", f"it cannot be read: {error.strerror}"))


def _check_entry(site: Path, entry: Entry, checked: Checked) -> None:
    file = site / entry.path  # an absolute path stays what it is
    if not file.exists():
        if entry.algorithm or file.suffix != ".pyc":  # what was compiled may be swept away
            dangling = "a link to what is not there" if file.is_symlink() else "it is not there"
            checked.missing.append(Fault(entry.path, dangling))
        return
    if file.is_dir():
        checked.modified.append(Fault(entry.path, "it is a folder"))
        return
    if entry.algorithm is None:
        checked.unhashed += 1
        return
    if entry.algorithm not in ALGORITHMS:
        checked.modified.append(Fault(entry.path, f"recorded by {entry.algorithm}, which proves nothing"))
        return
    _compare(file, entry, checked)


def _compare(file: Path, entry: Entry, checked: Checked) -> None:
    assert entry.algorithm is not None
    try:
        digest, size = digest_of(file, entry.algorithm)
    except OSError as error:
        checked.modified.append(Fault(entry.path, f"it cannot be read: {error.strerror}"))
        return
    if entry.size is not None and size != entry.size:
        checked.modified.append(Fault(entry.path, f"{size:,} bytes instead of {entry.size:,}"))
    elif not hmac.compare_digest(digest, entry.digest):
        checked.modified.append(Fault(entry.path, f"another {entry.algorithm} than recorded"))
    else:
        checked.verified += 1
        checked.size += size


def _check_presence(metadata: Path, checked: Checked) -> None:
    listing = metadata / "installed-files.txt"
    if not listing.is_file():
        return
    for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
        file = metadata / line
        if line and not file.exists() and file.suffix != ".pyc":
            checked.missing.append(Fault(line, "it is not there"))
        else:
            checked.unhashed += bool(line)


def _shorten(checked: Checked) -> None:
    """A distribution that is gone altogether does not fill the journal."""
    for found in (checked.modified, checked.missing):
        if len(found) > MOST:
            found[MOST:] = [Fault("…", f"and {len(found) - MOST} more")]
    if len(checked.notes) > MOST:
        checked.notes[MOST:] = [f"and {len(checked.notes) - MOST} more"]
