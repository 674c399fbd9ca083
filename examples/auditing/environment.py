"""Where an environment keeps its distributions. Nothing of it is imported or run."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from auditing.model import Place


class NoEnvironment(Exception):
    """There is none at that place; the message is one sentence."""


def site_folders(environment: Path) -> list[Path]:
    """The folders with installed distributions: of a virtual environment, or one such folder itself.

    Raises NoEnvironment.
    """
    if not environment.is_dir():
        raise NoEnvironment(f"{environment} is no folder: give the path of a virtual environment")
    patterns = ("lib/python3*/site-packages", "lib64/python3*/site-packages", "Lib/site-packages")
    found = [folder for pattern in patterns for folder in sorted(environment.glob(pattern))]
    if not found and any(_metadata(environment)):
        found = [environment]
    if not found:
        raise NoEnvironment(f"{environment} has no site-packages: give the path of a virtual environment")
    return list(dict.fromkeys(folder.resolve() for folder in found))  # lib64 is often a link to lib


def running_environment() -> list[Path]:
    """The folders of the Python that runs this."""
    paths = (Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))
    return list(dict.fromkeys(path.resolve() for path in paths if path.is_dir()))


def distributions(site: Path) -> list[Place]:
    """Every distribution of a folder, in the order of their names."""
    return [Place(str(site), entry.name) for entry in sorted(_metadata(site))]


def _metadata(site: Path) -> list[Path]:
    return [entry for entry in site.iterdir() if entry.suffix in (".dist-info", ".egg-info")]
