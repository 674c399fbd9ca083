"""Importing users' modules by name or path, and saying in one sentence why one does not import."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from orquestrax.base.errors import DefinitionError, NotFound, OrquestraxError
from orquestrax.define.checks import place

_PACKAGE: Final = str(Path(__file__).parent.parent) + os.sep
_INSTALLED: Final = tuple(f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))
_STDLIB: Final = sysconfig.get_path("stdlib") + os.sep


def load_modules(names: Sequence[str]) -> list[ModuleType]:
    """Import modules by dotted name (`shop.flows`, the current folder first) or path (`shop/flows.py`).

    A file that this process runs or has imported already is not run again, whatever its name there.
    Errors: NotFound if there is none of that name, DefinitionError with file and line if it does not import.
    """
    _search_first(Path.cwd())
    return [_load(name) for name in names]


def own_files(error: BaseException | None = None) -> dict[str, int]:
    """The files of users' own code that this process has imported, with the time (ns) of their last change.

    With the error of an import that failed, also those that it came through.
    """
    found = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    while error is not None:
        found |= {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
        found.add(getattr(error, "filename", None))
        error = error.__cause__
    paths = [Path(file).resolve() for file in found if isinstance(file, str) and is_users(file)]
    return {str(path): path.stat().st_mtime_ns for path in paths if path.is_file()}


def _load(name: str) -> ModuleType:
    if name.endswith(".py") or os.sep in name:
        return _load_file(name)
    if not all(part.isidentifier() for part in name.split(".")):
        raise NotFound(f"{name!r} is no module: give a dotted name like shop.flows, or a path to a .py file")
    with _one_sentence(name):
        return _running(_origin(name)) or importlib.import_module(name)


def _load_file(name: str) -> ModuleType:
    file = Path(name).resolve()
    if not file.is_file():
        raise NotFound(f"there is no file {name} (in {Path.cwd()})")
    if file.suffix != ".py":
        raise NotFound(f"{name} is no Python module: give a path that ends in .py, or a dotted name")
    folder, dotted = _dotted(file)
    _search_first(folder)
    with _one_sentence(name):
        return _running(file) or _import_as(dotted, file)


def _dotted(file: Path) -> tuple[Path, str]:
    """The folder to search and the name below it; packages around the file belong to the name."""
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    if file.stem == "__init__":
        parts.pop()
    return folder, ".".join(parts)


def _import_as(dotted: str, file: Path) -> ModuleType:
    if _origin(dotted) == file:
        return importlib.import_module(dotted)
    return _execute(file)  # its name is taken by another module, or is none


def _execute(file: Path) -> ModuleType:
    name = str(file)  # a name that nothing else has
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise NotFound(f"{file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _origin(dotted: str) -> Path | None:
    """The file that importing this name would run; None if there is none."""
    if not all(part.isidentifier() for part in dotted.split(".")):
        return None
    spec = importlib.util.find_spec(dotted)
    return Path(spec.origin).resolve() if spec and spec.origin and spec.has_location else None


def _running(file: Path | None) -> ModuleType | None:
    """The module that this process has made of a file."""
    if file is None:
        return None
    for module in list(sys.modules.values()):
        origin = getattr(module, "__dict__", {}).get("__file__")  # asking the module may make it do something
        if isinstance(origin, str) and Path(origin).name == file.name and Path(origin).resolve() == file:
            return module
    return None


def _search_first(folder: Path) -> None:
    entry = str(folder)
    if entry not in sys.path:
        sys.path.insert(0, entry)
    importlib.invalidate_caches()


@contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    try:
        yield
    except OrquestraxError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and _asked_for(error.name, name):
            raise NotFound(
                f"there is no module {name} (in {Path.cwd()} or among the installed ones)"
            ) from error
        raise _not_importable(name, error) from error
    except SyntaxError as error:
        at = place(str(error.filename), error.lineno or 0)
        raise DefinitionError(f"{at}: {name} does not import: {type(error).__name__}: {error.msg}") from error
    except SystemExit as error:
        raise DefinitionError(
            f"{_innermost(error, name)}: {name} ends the program when it is imported: put that below "
            '`if __name__ == "__main__":`'
        ) from error
    except Exception as error:
        raise _not_importable(name, error) from error


def _asked_for(missing: str, name: str) -> bool:
    return name == missing or name.startswith(f"{missing}.")


def _not_importable(name: str, error: BaseException) -> DefinitionError:
    text = " ".join(str(error).split())
    return DefinitionError(
        f"{_innermost(error, name)}: {name} does not import: {type(error).__name__}: {text}"
    )


def _innermost(error: BaseException, name: str) -> str:
    """The last frame of users' own code: neither of Python, nor of a library, nor of OrquestraX."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_users(f.filename)]
    return place(frames[-1].filename, frames[-1].lineno or 0) if frames else name


def is_users(file: str) -> bool:
    """Whether a file is users' own: neither of Python, nor of an installed library, nor of this package."""
    if file.startswith(("<", _PACKAGE)) or any(folder in file for folder in _INSTALLED):
        return False
    return not file.startswith(_STDLIB)
