"""The entry points from Python: `ox.connect`, `ox.connect_sync`, `ox.run` and `ox.node`, over one database."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.client.connect import connected
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.settings import Settings, load_settings

_numbers = itertools.count()


@ox.workflow
async def double(n: int) -> int:
    return 2 * n


@ox.workflow
async def wait_for_word() -> str:
    word: str = await ox.receive("word", str)
    return word


@ox.workflow
async def fail() -> None:
    raise ValueError("no luck")


@pytest.fixture
def namespace(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A schema of this release, named by the settings."""
    name = f"client_{next(_numbers)}"
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path))
    monkeypatch.setenv("ORQUESTRAX_DATABASE_URL", dsn)
    monkeypatch.setenv("ORQUESTRAX_NAMESPACE", name)
    with asyncio.Runner() as runner:
        runner.run(migrate(Address(dsn=dsn, schema=name)))
    return name


async def test_connect(namespace: str) -> None:
    async with ox.node(workflows=[double]), ox.connect() as client:
        run = await client.start(double, 4, id="d")
        assert await run.result(20) == 8
        assert [each.id for each in await client.list()] == ["d"]
        assert (await run.status()).created_by == "python"


async def test_connect_names_the_argument(namespace: str, dsn: str) -> None:
    with pytest.raises(ox.SettingsError, match="the database from argument database is not a PostgreSQL"):
        async with ox.connect("mysql://x"):
            pass
    with pytest.raises(ox.SettingsError, match="the address of a dashboard"):
        async with ox.connect("https://orquestrax.example.org"):
            pass
    async with ox.connect(dsn, namespace=namespace) as client:
        assert await client.list() == []


async def test_connect_never_migrates_a_given_server(dsn: str, tmp_path: Path) -> None:
    settings = Settings(database=dsn, namespace="client_missing", home=tmp_path, project=tmp_path)
    with pytest.raises(ox.SchemaMismatch, match="run `orquestrax db migrate`"):
        async with connected(settings):
            pass
    with pytest.raises(ox.SchemaMismatch):
        async with connected(settings):
            pass


def test_blocking_client(namespace: str) -> None:
    """From several threads, with typed handles; the node is in a process's own loop, elsewhere."""
    with NodeThread(), ox.connect_sync() as client:
        run = client.start(wait_for_word, id="w")
        assert repr(run) == "<run w of wait_for_word>"
        with pytest.raises(TimeoutError):
            run.result(timeout=0.05)
        run.signal("word", "hello")
        assert run.result(timeout=20) == "hello"
        assert client.get("w", wait_for_word).status().status == "completed"
        assert [event.type for event in run.history()] == ["started", "signal_received", "completed"]
        with pytest.raises(ox.InstanceEnded):
            run.cancel()
        with pytest.raises(ox.NotFound):
            client.get("nosuch")
        with pytest.raises(ox.WorkflowFailed, match="no luck"):
            client.start(fail).result(20)
        client.start(wait_for_word, id="t").terminate("enough")
        client.start(wait_for_word, id="c").cancel()
        for id_, error in (("t", ox.WorkflowTerminated), ("c", ox.WorkflowCancelled)):
            with pytest.raises(error):
                client.get(id_).result(20)
        assert {run.id for run in client.list(definition="wait_for_word")} == {"w", "t", "c"}
        results = _in_threads(lambda n: client.start(double, n).result(20))
        assert results == [0, 2, 4, 6]
    with pytest.raises(ox.DatabaseError, match="this client is closed"):
        client.list()


class NodeThread:
    """A node for the block, in a thread with a loop of its own."""

    def __enter__(self) -> None:
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._ready.wait(30)

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with ox.node(workflows=[double, wait_for_word, fail]):
            self._ready.set()
            await self._stop.wait()


def _in_threads(work: object) -> list[object]:
    results: list[object] = [None] * 4
    threads = [
        threading.Thread(target=lambda n=n: results.__setitem__(n, work(n)))  # type: ignore[misc, operator]
        for n in range(len(results))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


async def test_blocking_client_where_a_loop_runs(namespace: str) -> None:
    with pytest.raises(ox.BlockingCall, match=r"use `async with ox.connect"), ox.connect_sync():
        pass
    with pytest.raises(ox.BlockingCall, match=r"ox\.run"):
        ox.run(double, 1)


def test_blocking_client_after_a_fork(namespace: str) -> None:
    script = (
        "import os, orquestrax as ox\n"
        "with ox.connect_sync() as client:\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        try:\n"
        "            client.list()\n"
        "        except ox.DatabaseError as error:\n"
        "            os._exit(7 if 'opened before a fork' in str(error) else 1)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), client.list())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "7 []\n"


def test_run(namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ox.run(double, 4, id="r") == 8
    assert capsys.readouterr().err == ""
    assert ox.run(double, 4, id="r") == 8
    assert capsys.readouterr().err == "r was completed already: for another run give another id\n"
    with pytest.raises(ox.Conflict):
        ox.run(double, 5, id="r")
    with pytest.raises(ox.WorkflowFailed, match="no luck"):
        ox.run(fail)
    with pytest.raises(ox.InvalidInput, match="is not a workflow"):
        ox.run(len, "x")  # type: ignore[arg-type, type-var]
    with pytest.raises(ox.InvalidId):
        ox.run(double, 1, id="x" * 256)
    with pytest.raises(ox.PayloadError):
        ox.run(double, "x")  # type: ignore[arg-type]


def test_run_without_an_id_resumes_what_has_the_same_input(
    namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @ox.step
    async def stop_at(n: int) -> int:
        if n == 1 and not (tmp_path / "go").exists():  # also where the other run's node takes it up
            os.kill(os.getpid(), signal.SIGTERM) if not (tmp_path / "stopped").exists() else None
            (tmp_path / "stopped").touch()
            await asyncio.sleep(1000)
        return n

    @ox.workflow
    async def flow(n: int) -> int:
        return await stop_at(n)

    with pytest.raises(SystemExit) as stopped:
        ox.run(flow, 1)
    assert stopped.value.code == 128 + signal.SIGTERM
    id_ = capsys.readouterr().err.split()[1]
    assert ox.run(flow, 2) == 2
    assert capsys.readouterr().err == ""
    (tmp_path / "go").touch()
    assert ox.run(flow, 1) == 1
    assert capsys.readouterr().err == f"resumed {id_}: 0 steps already done\n"
    assert ox.run(flow, 1) == 1
    assert capsys.readouterr().err == ""


def test_run_with_code_that_does_not_fit(namespace: str) -> None:
    @ox.step
    async def one() -> int:
        return 1

    @ox.step
    async def two() -> int:
        return 2

    @ox.step
    async def stop() -> None:
        os.kill(os.getpid(), 15)
        await asyncio.sleep(1000)

    @ox.workflow
    async def flow() -> None:
        await one()
        await stop()

    @ox.workflow(name="flow")
    async def changed() -> None:
        await two()
        await stop()

    with pytest.raises(SystemExit) as stopped:
        ox.run(flow, id="f")
    assert stopped.value.code == 143
    with pytest.raises(ox.NonDeterminism, match="f cannot go on with this code"):
        ox.run(changed, id="f")


def test_public_face_is_quick_and_complete() -> None:
    """Nothing that talks to a database is imported before it is used; and a function stays a function."""
    script = (
        "import sys, orquestrax as ox\n"
        "slow = {'asyncpg', 'psutil', 'uvloop', 'typer', 'rich', 'fastapi', 'jsonschema', 'orquestrax.node.node'}\n"
        "assert not slow & sys.modules.keys(), slow & sys.modules.keys()\n"
        "import orquestrax.node.incarnation\n"
        "assert callable(ox.node) and ox.node is not sys.modules['orquestrax.node']\n"
        "for name in ox.__all__: getattr(ox, name)\n"
        "assert set(ox.__all__) <= set(dir(ox))\n"
        "try:\n    ox.nosuch\nexcept AttributeError as error:\n    assert 'nosuch' in str(error)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_settings_of_the_process(namespace: str, dsn: str) -> None:
    assert load_settings().database == dsn
    begun = time.monotonic()
    with pytest.raises(ox.DatabaseUnreachable), ox.connect_sync("postgresql://127.0.0.1:1/x"):
        pass
    assert time.monotonic() - begun < 9, "who is refused need not wait out the deadline"
