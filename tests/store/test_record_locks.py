"""Record locks: how processes of one machine know at once that one of them is dead."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orquestrax.base.errors import SchemaMismatch, SettingsError
from orquestrax.cluster import machine as module
from orquestrax.cluster.machine import Machine, this_machine
from orquestrax.core.store.database import Database
from orquestrax.core.store.migrate import reset
from tests.store.support import Rig

PROGRAM = """
import sys
from pathlib import Path
from orquestrax.cluster.machine import this_machine
machine = this_machine(Path(sys.argv[1]), "db")
verb, fence = sys.argv[2], int(sys.argv[3])
if verb == "hold":
    machine.hold(fence)
    print("held", flush=True)
    sys.stdin.readline()
else:
    print(machine.is_dead(fence), flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def machine(home: Path) -> Machine:
    return this_machine(home, "db")


@pytest.fixture(autouse=True)
def _let_go(machine: Machine) -> Iterator[None]:
    yield
    for path in [path for path in module._held if machine.run in path.parents]:
        os.close(module._held.pop(path))


def spawn(home: Path, verb: str, fence: int, program: str = PROGRAM) -> subprocess.Popen[str]:
    source = str(Path(module.__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", program, home, verb, str(fence)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip


def seen_dead(home: Path, fence: int) -> bool:
    """What another process thinks."""
    output, _ = spawn(home, "probe", fence).communicate(timeout=30)
    return output.strip() == "True"


@contextmanager
def holder(home: Path, fence: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of its incarnation."""
    process = spawn(home, "hold", fence)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_I14_a_process_that_was_killed_is_known_to_be_dead_at_once(machine: Machine, home: Path):
    with holder(home, 7) as process:
        assert not machine.is_dead(7)
        process.kill()
        process.wait()
        assert machine.is_dead(7)


def test_I14_a_living_process_is_never_taken_for_dead(machine: Machine, home: Path):
    machine.hold(7)
    assert not seen_dead(home, 7)
    machine.let_go(7)
    assert not seen_dead(home, 7), "a missing file proves nothing"


def test_I14_opening_ones_own_lock_file_again_drops_the_lock(machine: Machine, home: Path):
    """The mutant: closing any descriptor of the file does it."""
    machine.hold(7)
    os.close(os.open(machine.lock_file(7), os.O_RDWR))
    assert seen_dead(home, 7), "although this process lives"


def test_I14_own_incarnations_are_never_probed(machine: Machine, home: Path):
    machine.hold(7)
    machine.hold(8)
    for _ in range(3):
        assert not machine.is_dead(7)
        assert not machine.is_dead(8)
    assert not seen_dead(home, 7)
    assert not seen_dead(home, 8)


def test_I14_nor_by_another_spelling_of_the_home(machine: Machine, tmp_path: Path, home: Path):
    alias = tmp_path / "alias"
    alias.symlink_to(home, target_is_directory=True)
    machine.hold(7)
    for spelling in (alias, home / "run" / ".."):
        assert not this_machine(spelling, "db").is_dead(7)
    assert not seen_dead(home, 7)
    assert seen_dead(alias, 9) is False


def test_a_missing_file_proves_nothing_and_is_not_made(machine: Machine):
    assert not machine.is_dead(99)
    assert not machine.lock_file(99).exists()


def test_I14_a_forked_child_neither_inherits_the_lock_nor_drops_it(machine: Machine, home: Path):
    machine.hold(7)
    own = machine.lock_file(7)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if not machine.is_dead(7):  # as a sibling it does not probe its parent
                fcntl.lockf(module._held[own], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            status = 0  # the lock is the parent's alone
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not seen_dead(home, 7), "the child's end closed its descriptors"


def test_the_home_has_an_id_that_stays(machine: Machine, tmp_path: Path, home: Path):
    assert this_machine(home, "db") == machine
    assert this_machine(tmp_path / "other", "db").home_id != machine.home_id
    assert machine.boot_id


def test_many_processes_make_one_id(home: Path):
    program = PROGRAM.replace(
        "verb, fence = sys.argv[2], int(sys.argv[3])", "print(machine.home_id); sys.exit()"
    )
    makers = [spawn(home, "make", 0, program) for _ in range(4)]
    assert len({maker.communicate(timeout=60)[0] for maker in makers}) == 1


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path, home: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="ORQUESTRAX_HOME"):
        this_machine(tmp_path / "file" / "home", "db")


def test_the_file_of_a_dead_incarnation_goes(machine: Machine, home: Path):
    with holder(home, 7):
        pass
    assert machine.is_dead(7)
    machine.forget(7)
    assert not machine.lock_file(7).exists()
    machine.forget(7)


def test_I14_databases_that_share_a_home_do_not_mix_up_their_nodes(machine: Machine, home: Path):
    """Each numbers its nodes from 1: the lock of the one says nothing of the other."""
    neighbour = this_machine(home, "another database")
    with holder(home, 1):
        neighbour.hold(1)
        assert not neighbour.is_dead(1)
        assert not machine.is_dead(1)
    assert machine.is_dead(1), "although the neighbour's node 1 lives"
    assert not neighbour.is_dead(1)


def test_a_lock_that_a_copy_of_the_database_holds_is_one_sentence(machine: Machine, home: Path):
    with holder(home, 1), pytest.raises(SettingsError, match="ORQUESTRAX_HOME"):
        machine.hold(1)


async def test_each_schema_has_an_identity_and_a_new_one_after_a_reset(rig: Rig):
    before = (await rig.database.identity(), await rig.database.lock_space())
    assert (await rig.database.identity(), await rig.database.lock_space()) == before
    await reset(rig.address)
    after = (await rig.database.identity(), await rig.database.lock_space())
    assert before[0] != after[0]
    assert before[1] != after[1], "a cached one would lock beside the nodes of today"
    elsewhere = Database(replace(rig.address, schema="nowhere"))
    await elsewhere.open()
    with pytest.raises(SchemaMismatch, match="orquestrax db migrate"):
        await elsewhere.identity()
    await elsewhere.close()
