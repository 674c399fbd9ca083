"""Closing plain `def` code: what is its own; see `test_replay_eviction` for what holds of all code."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import Any

import pytest
from tests.unit.replay.kit import Host, rebuild, step
from tests.unit.replay.plainly import endless, half_used, plain

from orquestrax.replay.bridge import await_

pytestmark = pytest.mark.usefixtures("listener")


def test_what_closes_plain_code_is_no_exception_that_it_handles() -> None:
    caught: list[str] = []

    def main() -> None:
        try:
            await_(step("a"))
        except Exception as error:
            caught.append(repr(error))
        except BaseException as error:
            caught.append(type(error).__name__)
            raise

    rebuild(plain(main), []).close()
    assert caught == ["GreenletExit"]


def test_generators_that_wait_in_their_cleanup_are_closed_without_a_sound() -> None:
    replay = rebuild(plain(half_used), [])
    replay.close()
    assert replay.issued == 1  # not the steps of the cleanup
    host = Host(plain(half_used))
    host.complete("between")
    host.replay.close()


def test_eviction_frees_the_memory() -> None:
    class Witness:
        pass

    references: list[weakref.ref[Any]] = []

    def main() -> None:
        mine = Witness()
        references.append(weakref.ref(mine))
        await_(step("a"))
        assert mine

    replay = rebuild(plain(main), [])
    replay.close()
    gc.collect()
    assert references[0]() is None


def test_what_was_awaited_is_not_kept() -> None:
    """Neither by looking where the code waits, nor by waiting for the next thing."""

    class Result:
        pass

    references: list[weakref.ref[Any]] = []

    async def large() -> Result:
        await step("a")
        references.append(weakref.ref(result := Result()))
        return result

    def main() -> None:
        await_(large())
        await_(step("b"))

    host = Host(plain(main))
    assert host.replay.waits_at()[1] == large.__code__.co_firstlineno + 1
    host.complete("a")
    host.replay.waits_at()
    gc.collect()
    assert [reference() for reference in references] == [None, None]  # live and in replay


PROGRAM = """
import gc, sys
sys.path.insert(0, {root!r})
from tests.unit.replay.kit import new
from tests.unit.replay.plainly import endless, everything, plain

for main in (everything, endless):
    replay = new(plain(main))
    replay.start()
    replay.close()
    del replay
    gc.collect()
"""


def test_a_whole_process_says_nothing(pytestconfig: pytest.Config) -> None:
    program = PROGRAM.format(root=str(pytestconfig.rootpath))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


MEMORY = """
import psutil, sys
sys.path.insert(0, {root!r})
from tests.unit.replay.kit import new
from tests.unit.replay.plainly import plain, sorting

def resident():
    return psutil.Process().memory_info().rss

def waiting(number):
    replay = new(plain(sorting), key=number)
    replay.start()
    replay.take()
    return replay

kept = [waiting(0)]
before = resident()
kept += [waiting(number) for number in range(3000)]
print((resident() - before) // 3000)
for replay in kept:
    replay.close()
"""


def test_one_that_waits_takes_few_kilobytes(pytestconfig: pytest.Config) -> None:
    program = MEMORY.format(root=str(pytestconfig.rootpath))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000


def test_code_that_will_not_end_is_given_up() -> None:
    replay = rebuild(plain(endless), [])
    replay.close()
    assert replay.closed
