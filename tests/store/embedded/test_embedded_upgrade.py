"""Data of an older major version is brought to the installed one, and is never lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.core.store.embedded import upgrade as module
from orquestrax.core.store.embedded.binaries import find_binaries, search
from orquestrax.core.store.embedded.cluster import UPGRADED
from orquestrax.core.store.embedded.upgrade import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from orquestrax.core.store.embedded import EmbeddedServer

OLDER = {found.major: found.bindir for found in search() if 15 <= found.major < find_binaries().major}
older = pytest.mark.skipif(not OLDER, reason="LOUD: needs a PostgreSQL of an older major version, from 15 on")


async def query(server: EmbeddedServer, text: str) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(text)
    finally:
        await connection.close()


@pytest.fixture
async def aged(new_home: Path, start: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with data of the oldest version that is here."""
    monkeypatch.setenv("ORQUESTRAX_PG_BINDIR", str(OLDER[min(OLDER)]))
    home = new_home.with_name("aged")
    server = start(at=home)
    await query(server, "create table kept as select 42 as answer")
    server.stop()
    monkeypatch.delenv("ORQUESTRAX_PG_BINDIR")
    return home


@pytest.mark.verify
@older
async def test_data_of_an_older_version_is_upgraded_and_the_old_is_kept(
    aged: Path, start: Callable[..., EmbeddedServer]
) -> None:
    done = upgrade(home=aged)
    assert done is not None
    assert (done.old.split(".")[0], done.new) == (str(min(OLDER)), find_binaries().version)
    assert (done.kept / "PG_VERSION").read_text().strip() == str(min(OLDER))
    server = start(at=aged)
    assert server.version == done.new
    assert await query(server, "select answer from kept") == 42
    server.stop()
    assert upgrade(home=aged) is None, "there is nothing left to do"
    assert sorted(p.name for p in (aged / "postgres").glob("data*")) == ["data", done.kept.name]


@pytest.mark.verify
@older
@pytest.mark.parametrize("renames", [0, 1, 2])
async def test_an_upgrade_that_was_cut_off_between_its_renames_lost_nothing(
    aged: Path, start: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    real, left = Path.rename, iter(range(renames))

    def rename(path: Path, target: Path) -> Path:
        if path.name.startswith("data") and next(left, None) is None:
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            upgrade(home=aged)
    assert ((aged / "postgres" / UPGRADED).exists()) == (renames > 0)
    if renames < 2:
        with pytest.raises(EmbeddedServerError, match="run `orquestrax db upgrade`"):
            start(at=aged)
        assert upgrade(home=aged) is not None
    assert await query(start(at=aged), "select answer from kept") == 42


@pytest.mark.verify
@older
def test_what_pg_upgrade_refuses_leaves_the_data_as_it_was(
    aged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_checksums", lambda *_: ["--wal-segsize=64"])
    with pytest.raises(EmbeddedServerError, match=r"^pg_upgrade cannot upgrade .*, which is as it was: "):
        upgrade(home=aged)
    assert [path.name for path in (aged / "postgres").glob("data*")] == ["data"]


def test_data_of_the_installed_version_stays(home: Path) -> None:
    assert upgrade(home=home) is None


def test_a_home_without_data_has_nothing_to_upgrade(new_home: Path) -> None:
    assert upgrade(home=new_home) is None


def test_data_in_use_is_not_upgraded(home: Path, start: Callable[..., EmbeddedServer]) -> None:
    start(at=home)
    with pytest.raises(EmbeddedServerError, match=r"is in use: end the programs that use it first$"):
        upgrade(home=home)


@pytest.mark.parametrize(
    ("version", "bindir", "sentence"),
    [
        ("11", None, "not installed here: name their directory by --from$"),
        ("11", Path("/nowhere"), "not in /nowhere: name their directory by --from$"),
        ("99", None, "name newer binaries by ORQUESTRAX_PG_BINDIR$"),
    ],
)
def test_without_fitting_binaries_nothing_is_touched(
    home: Path, data: Path, version: str, bindir: Path | None, sentence: str
) -> None:
    (data / "PG_VERSION").write_text(f"{version}\n")
    before = sorted(path.name for path in data.iterdir())
    with pytest.raises(EmbeddedServerError, match=sentence):
        upgrade(home=home, bindir=bindir)
    assert sorted(path.name for path in data.iterdir()) == before
