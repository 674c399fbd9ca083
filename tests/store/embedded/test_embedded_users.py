"""Who uses the server, how they go, and that the last one out stops it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from orquestrax.core.store.embedded import sharing
from orquestrax.core.store.embedded.postmaster import lives, running, wait_for_exit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("home")
SOON = 20.0  # seconds: a limit for what takes some milliseconds


def test_one_of_two_users_goes_and_the_server_stays(user: Callable, data: Path, postmaster: Callable) -> None:
    leaver, stayer = user(), user()
    pid = postmaster()
    assert leaver.ask("stop") == {"stopped": True}
    assert postmaster() == pid
    assert stayer.ask("stop") == {"stopped": True}
    assert running(data) is None


def test_the_server_stops_when_all_users_are_killed(user: Callable, data: Path, postmaster: Callable) -> None:
    users = [user() for _ in range(3)]
    pid = postmaster()
    for each in users[:2]:
        each.kill()
    assert lives(pid)
    users[2].kill()
    assert wait_for_exit(pid, data, SOON)


def test_one_killed_and_one_stopped(user: Callable, data: Path, postmaster: Callable) -> None:
    killed, stopped = user(), user()
    pid = postmaster()
    killed.kill()
    assert lives(pid)
    stopped.ask("stop")
    assert not lives(pid)
    assert running(data) is None


def test_many_start_at_once_and_share_one_new_server(
    user: Callable, place: Path, data: Path, postmaster: Callable, watchdogs: Callable
) -> None:
    shutil.rmtree(place / "home")
    users = [user(wait=False) for _ in range(4)]
    assert len({each.hear()["dsn"] for each in users}) == 1
    pid = postmaster()
    assert len(watchdogs()) == 1
    for each in users:
        each.kill()
    assert wait_for_exit(pid, data, SOON)


def test_a_user_comes_while_the_server_stops(user: Callable, data: Path, postmaster: Callable) -> None:
    for _ in range(5):
        last = user()
        pid = postmaster()
        last.kill()  # the watchdog goes to work while the next user comes
    assert wait_for_exit(pid, data, SOON)
    assert running(data) is None


def test_threads_of_one_process_share_the_server(start: Callable, data: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        servers = list(threads.map(lambda _: start(), range(4)))
        assert len(set(servers)) == 1
        list(threads.map(lambda server: server.stop(), servers))
    assert running(data) is None


def test_the_watchdog_ends_with_the_server(user: Callable, data: Path, watchdogs: Callable) -> None:
    only = user()
    [watchdog] = watchdogs()
    only.ask("stop")
    assert wait_until_gone(watchdog)
    assert running(data) is None


def test_the_watchdog_outlasts_what_ends_a_whole_group(
    user: Callable, data: Path, postmaster: Callable, watchdogs: Callable
) -> None:
    only = user()
    [watchdog] = watchdogs()
    pid = postmaster()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(watchdog, number)
    only.kill()
    assert wait_for_exit(pid, data, SOON)


@pytest.mark.parametrize("who", ["the same user", "a new user"])
def test_a_killed_watchdog_is_replaced(
    who: str, user: Callable, data: Path, postmaster: Callable, watchdogs: Callable
) -> None:
    users = [user()]
    [old] = watchdogs()
    os.kill(old, signal.SIGKILL)
    assert wait_until_gone(old)
    if who == "the same user":
        users[0].ask("again")
    else:
        users.append(user())
    [new] = watchdogs()
    assert new != old
    pid = postmaster()
    for each in users:
        each.kill()
    assert wait_for_exit(pid, data, SOON)


def test_a_forked_child_holds_nothing(user: Callable, data: Path, postmaster: Callable) -> None:
    parent = user()
    pid = postmaster()
    child = parent.ask("fork")["child"]
    try:
        assert postmaster() == pid  # the child's own stop() let go of nothing
        parent.kill()
        assert lives(child)
        assert wait_for_exit(pid, data, SOON)
    finally:
        os.kill(child, signal.SIGKILL)


def test_ctrl_c_for_the_starter_reaches_neither_server_nor_watchdog(
    user: Callable, postmaster: Callable, watchdogs: Callable
) -> None:
    starter, other = user(start_new_session=True, preexec_fn=obey_ctrl_c), user()
    [watchdog] = watchdogs()
    pid = postmaster()
    os.killpg(starter.process.pid, signal.SIGINT)
    starter.process.wait()
    assert lives(pid)
    assert lives(watchdog)
    assert other.ask("again")["dsn"] == other.answer["dsn"]


def obey_ctrl_c() -> None:
    """As we may be a program that a shell started in the background, and then ignore it ourselves."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_home_that_was_removed_is_made_anew(
    start: Callable, home: Path, data: Path, watchdogs: Callable
) -> None:
    first = start()
    [watchdog] = watchdogs()
    pid = running(data).pid
    shutil.rmtree(home, ignore_errors=True)
    second = start()
    assert running(data).pid != pid
    first.stop()
    second.stop()
    assert running(data) is None
    assert wait_until_gone(watchdog)
    os.kill(pid, signal.SIGQUIT)  # it would notice within a minute


def test_stop_in_a_removed_home_is_quiet(start: Callable, home: Path, data: Path) -> None:
    server = start()
    pid = running(data).pid
    shutil.rmtree(home, ignore_errors=True)
    server.stop()
    assert home / "postgres" not in sharing._holds
    os.kill(pid, signal.SIGQUIT)


def wait_until_gone(pid: int) -> bool:
    """Whether the process, which is not our child, ends soon."""
    deadline = time.monotonic() + SOON
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.003)
    return not lives(pid)
