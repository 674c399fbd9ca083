"""As whom the server runs, who gets in, and that nobody's permissions are loosened for it."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.core.store.embedded import account, copies, layout, start_embedded
from orquestrax.core.store.embedded.account import choose_account
from orquestrax.core.store.embedded.binaries import find_binaries
from orquestrax.core.store.embedded.postmaster import running, wait_for_exit

if TYPE_CHECKING:
    from collections.abc import Callable

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="LOUD: needs root, to become other users")
NOBODY = pwd.getpwnam("nobody")


def uid_of(pid: int) -> int:
    listed = subprocess.run(["ps", "-o", "uid=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(listed.stdout)


def groups_of(pid: int) -> set[int]:
    """The supplementary groups."""
    command = ["ps", "-o", "supgid=", "-p", str(pid)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return {int(group) for group in listed.split(",") if group.isdecimal()}


def modes(*places: Path) -> dict[Path, tuple[int, int]]:
    return {place: (stat.S_IMODE(place.stat().st_mode), place.stat().st_uid) for place in places}


def test_an_ordinary_user_runs_the_server_itself(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setenv("ORQUESTRAX_PG_USER", "root")  # it is for root only
    chosen = choose_account(place)
    assert (chosen.uid, chosen.name, chosen.switch) == (12345, "12345", False)
    assert "user" not in chosen.spawn_options()


@needs_root
def test_a_server_of_an_ordinary_user(
    user: Callable, ordinary_user: dict[str, Any], new_home: Path, postmaster: Callable, data: Path
) -> None:
    new_home.mkdir()
    os.chown(new_home, NOBODY.pw_uid, NOBODY.pw_gid)
    new_home.chmod(0o700)
    first, second = user(**ordinary_user), user(**ordinary_user)
    assert first.answer["dsn"] == second.answer["dsn"]
    assert uid_of(postmaster()) == NOBODY.pw_uid
    assert stat.S_IMODE((new_home / "postgres").stat().st_mode) == 0o700
    pid = postmaster()
    first.kill()
    assert second.ask("again")["dsn"] == first.answer["dsn"]
    assert postmaster() == pid
    second.kill()
    assert wait_for_exit(pid, data, 20)


@pytest.mark.verify
@needs_root
def test_root_and_the_owner_of_a_home_take_turns(
    user: Callable, ordinary_user: dict[str, Any], new_home: Path, postmaster: Callable, data: Path
) -> None:
    new_home.mkdir()
    os.chown(new_home, NOBODY.pw_uid, NOBODY.pw_gid)
    by_root = user()
    assert uid_of(postmaster()) == NOBODY.pw_uid
    by_owner = user(**ordinary_user)
    assert by_owner.answer["dsn"] == by_root.answer["dsn"]
    by_root.ask("stop")
    by_owner.ask("stop")
    assert running(data) is None
    assert "dsn" in user(**ordinary_user).answer
    owners = {path.stat().st_uid for path in (new_home / "postgres").iterdir()}
    assert owners == {NOBODY.pw_uid}


@needs_root
@pytest.mark.parametrize(
    ("configured", "existing", "expected"),
    [("", (), "nobody"), ("", ("postgres",), "postgres"), ("daemon", ("postgres",), "daemon")],
)
def test_root_takes_an_existing_user(
    configured: str, existing: tuple[str, ...], expected: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"postgres": NOBODY.pw_uid + 1, "nobody": NOBODY.pw_uid, "daemon": pwd.getpwnam("daemon").pw_uid}
    names = {uid: name for name, uid in known.items()}
    monkeypatch.setenv("ORQUESTRAX_PG_USER", configured)
    monkeypatch.setattr(
        account, "_uid", lambda name: known[name] if name in {*existing, "nobody", "daemon"} else None
    )
    assert names[choose_account(place).uid] == expected


@needs_root
def test_root_follows_the_owner_of_data_that_exists(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQUESTRAX_PG_USER", "daemon")
    os.chown(place, NOBODY.pw_uid, NOBODY.pw_gid)
    assert choose_account(place / "not there", place).name == "nobody"


@needs_root
@pytest.mark.parametrize(("name", "says"), [("no-such-user", "names no user"), ("root", "refuses to run")])
def test_a_user_that_cannot_be(name: str, says: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQUESTRAX_PG_USER", name)
    with pytest.raises(EmbeddedServerError, match=f"ORQUESTRAX_PG_USER={name} .*{says}"):
        choose_account(place)


@needs_root
def test_a_system_without_a_user_for_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "FALLBACKS", ("no-such-user",))
    with pytest.raises(EmbeddedServerError, match="name an existing user by ORQUESTRAX_PG_USER"):
        choose_account(place)


@needs_root
def test_root_runs_the_server_as_the_configured_user(
    new_home: Path, data: Path, postmaster: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = Path("/etc/passwd").read_bytes()
    daemon = pwd.getpwnam("daemon")
    monkeypatch.setenv("ORQUESTRAX_PG_USER", "daemon")
    before = modes(*new_home.parents)
    server = start_embedded(home=new_home)
    assert uid_of(postmaster()) == daemon.pw_uid
    assert modes(data, Path(server.host)) == {
        data: (0o700, daemon.pw_uid),
        Path(server.host): (0o700, daemon.pw_uid),
    }
    assert modes(new_home / "postgres")[new_home / "postgres"] == (
        0o711,
        0,
    )  # it cannot lead root's files astray
    server.stop()
    assert modes(*new_home.parents) == before
    assert Path("/etc/passwd").read_bytes() == users


@needs_root
@pytest.mark.usefixtures("home")
def test_groups_of_root_do_not_go_along(user: Callable, postmaster: Callable) -> None:
    user(extra_groups=[0, 4])
    assert not groups_of(postmaster()) & {0, 4}


@needs_root
async def test_other_users_stay_outside(start: Callable) -> None:
    server = start()
    owner = Path(server.host).stat().st_uid
    daemon = pwd.getpwnam("daemon")
    psql = find_binaries().bindir / "psql"

    def connects(uid: int) -> bool:
        done = subprocess.run(
            [psql, server.dsn, "-Atc", "select 1"],
            user=uid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0 or b"Permission denied" in done.stderr
        return done.returncode == 0

    assert [connects(uid) for uid in (0, owner, daemon.pw_uid)] == [True, True, False]


@pytest.mark.verify
@needs_root
async def test_data_of_a_closed_home_lies_apart(place: Path, start: Callable) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    server = start(at=closed / "deep" / "home")
    connection = await asyncpg.connect(server.dsn)
    await connection.execute("create table kept as select 42 as answer")
    await connection.close()
    server.stop()
    assert modes(closed)[closed] == (0o700, 0)
    link = closed / "deep" / "home" / "postgres"
    assert link.is_symlink()
    assert link.resolve().parent == layout.ROOT_HOME / "homes"
    assert modes(link.resolve())[link.resolve()] == (0o711, 0)

    connection = await asyncpg.connect(start(at=closed / "deep" / "home").dsn)
    assert await connection.fetchval("select answer from kept") == 42
    await connection.close()


@needs_root
def test_a_new_home_never_finds_the_data_of_an_old_one(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    first = layout.prepare(closed / "home").cluster
    shutil.rmtree(closed / "home")
    second = layout.prepare(closed / "home").cluster
    assert first != second
    shutil.rmtree(second)
    assert layout.prepare(closed / "home").cluster.is_dir()  # the link points to nothing: it is made anew


@needs_root
def test_a_cluster_that_was_closed_later_is_refused(home: Path) -> None:
    home.chmod(0o700)
    with pytest.raises(EmbeddedServerError, match="is closed to the user"):
        layout.prepare(home)
    assert modes(home)[home][0] == 0o700


@needs_root
@pytest.mark.parametrize("mask", [0o077, 0o022])
def test_what_root_makes_can_be_entered_whatever_its_umask(mask: int, place: Path) -> None:
    before = os.umask(mask)
    try:
        made = layout.prepare(place / "a" / "b" / "home")
    finally:
        os.umask(before)
    assert made.cluster == place.resolve() / "a" / "b" / "home" / "postgres"
    assert made.account.may_enter(made.cluster)


@needs_root
def test_data_of_the_wrong_owner_is_refused(home: Path, data: Path, start: Callable) -> None:
    os.chown(data, 0, 0)
    with pytest.raises(EmbeddedServerError, match=f"belongs to uid 0.*chown -R .*{data}"):
        start()


@pytest.mark.verify
@needs_root
async def test_binaries_under_a_closed_directory_are_copied_once(
    place: Path, start: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = place / "closed"
    site = find_binaries().bindir.parents[2]
    package = find_binaries().bindir.parents[1].name
    closed.mkdir(mode=0o700)
    for part in (f"{package}/pginstall", f"{package}.libs"):
        if (site / part).exists():
            shutil.copytree(site / part, closed / part, ignore=shutil.ignore_patterns("include"))
    monkeypatch.setenv("ORQUESTRAX_PG_BINDIR", str(closed / package / "pginstall" / "bin"))
    old_mask = os.umask(0o077)
    try:
        server = start()
    finally:
        os.umask(old_mask)
    connection = await asyncpg.connect(server.dsn)
    assert await connection.fetchval("select 1") == 1
    await connection.close()
    [copy] = (layout.ROOT_HOME / "binaries").iterdir()
    assert copy.name == f"{package}-{server.version}"
    assert Path(f"/proc/{running_pid(server.host)}/exe").readlink().is_relative_to(copy)
    server.stop()
    monkeypatch.setattr(copies, "_copy", None)
    start()
    assert [path.name for path in (layout.ROOT_HOME / "binaries").iterdir()] == [copy.name]
    assert modes(closed)[closed] == (0o700, 0)


def running_pid(socket_dir: str) -> int:
    found = running(Path(socket_dir).parent / "data")
    assert found
    return found.pid
