"""Bad input: one sentence on stderr, the exit status that fits, and nothing written."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orquestrax.cli.app import app
from orquestrax.cli.failing import call, printable

from .conftest import Result, Running

Ox = Callable[..., Result]
Count = Callable[[], int]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["run", "nosuch"], 1, "the database knows no definition 'nosuch'"),
        (
            ["run", "flows.py:nosuch"],
            1,
            "flows.py has no workflow 'nosuch': it has double, fulfil, odd, pause",
        ),
        (["run", "flows.py"], 2, "flows.py:WORKFLOW"),
        (["run", ":x"], 2, "is not MODULE:WORKFLOW"),
        (["run", "flows.py:double", "--input", '"x"'], 2, "argument 'n': expected int, got str"),
        (["run", "flows.py:fulfil", "--input", '{"order": {"amount": 1}}'], 2, "missing.*`?id`?"),
        (["run", "flows.py:fulfil", "--input", '{"ordre": 1}'], 2, "it has no argument 'ordre'"),
        (["run", "flows.py:fulfil"], 2, "the input lacks 'order'"),
        (["run", "flows.py:fulfil", "--input", '{"order":'], 2, "not valid JSON: .* at line 1, column 10"),
        (["run", "flows.py:double", "--input", '{"n":'], 2, "not valid JSON: .* at line 1, column 6"),
        (["run", "flows.py:double", "--input", "NaN"], 2, "NaN is not a JSON number"),
        (["run", "flows.py:double", "--input", "@nosuch.json"], 2, "cannot be read from nosuch.json"),
        (["run", "flows.py:fulfil", "--input", '[{"id": "\\u0000"}]'], 2, "NUL"),
        (["run", "flows.py:fulfil", "--input", '[{"id": "\\ud800"}]'], 2, "surrogate"),
        (["run", "flows.py:fulfil", "--input", '[{"id": "\udcff"}]'], 2, "not UTF-8"),
        (["run", "flows.py:double", "--id", "x" * 256], 2, "1 to 255 characters, but .* has 256"),
        (["run", "flows.py:double", "--id", ""], 2, "it is empty"),
        (["run", "flows.py:double", "--id", "a\0b"], 2, "control character"),
        (["run", "flows.py:double", "--id", "a\udcffb"], 2, "surrogate"),
        (["run", "a\0b"], 2, "control character"),
        (["run", "nosuch.py:x"], 1, "there is no file nosuch.py"),
        (["run", "no.such:x"], 1, "there is no module no.such"),
        (["run", "syntax.py:x"], 1, r"syntax.py:1: syntax.py does not import: SyntaxError"),
        (["run", "raises.py:x"], 1, r"raises.py:2: raises.py does not import: ZeroDivisionError"),
        (["run", "twice.py:one"], 1, r"two workflows are named 'one': twice.py:2 and twice.py:5"),
        (["start", "twice.py"], 1, "two workflows are named 'one'"),
        (["start"], 2, "an engine serves modules"),
        (["start", "empty.py"], 2, "there is no workflow in empty.py"),
        (["start", "flows.py", "--roles", "engine,boss"], 2, "there is no role 'boss'"),
        (["start", "flows.py", "--host", "0.0.0.0"], 2, "set ORQUESTRAX_TOKEN to 32 characters"),
        (["start", "flows.py", "--host", "no.such.host.invalid"], 2, "no.such.host.invalid"),
        (["dev", "flows.py", "--host", "0.0.0.0"], 2, "set ORQUESTRAX_TOKEN to 32 characters"),
        (["start", "flows.py", "--port", "70000"], 2, "from 1 to 65535"),
        (
            ["start", "flows.py", "--queues", "a,b:0"],
            2,
            "queues from --queues has 'b:0': write names with commas",
        ),
        (["start", "flows.py", "--queues", ""], 2, "queues from --queues has ''"),
        (["start", "flows.py", "--queues", "*:3"], 2, "limits all queues at once: use slots for that"),
        (["start", "flows.py", "--slots", "0"], 2, "slots from --slots is 0: .* from 1 to 100000"),
        (["start", "flows.py", "--slots", "many"], 2, "'--slots': input should be a valid integer"),
        (["start", "flows.py", "--processes", "0"], 2, "processes from --processes is 0: .* from 1 to 1000"),
        (["start", "flows.py", "--grace", "inf"], 2, "'--grace': inf is not a number of seconds"),
        (["start", "--roles", "worker"], 2, "a worker runs steps of modules"),
        (["dev", "flows.py", "--nodes", "0"], 2, "'--nodes': input should be greater than or equal to 1"),
        (["dev", "flows.py", "--nodes", "17"], 2, "'--nodes': input should be less than or equal to 16"),
        (["pause", "nosuch"], 1, "there is no instance"),
        (["resume", "nosuch"], 1, "there is no instance"),
        (["show", "nosuch"], 1, "there is no instance with the id 'nosuch'"),
        (["show", "x" * 256], 2, "1 to 255 characters"),
        (["show"], 2, "missing argument 'ID'; see `orquestrax show --help`"),
        (["events", "nosuch"], 1, "there is no instance"),
        (["signal", "nosuch", "go"], 1, "there is no instance"),
        (["signal", "x", "go", "{"], 2, "signal 'go': not valid JSON"),
        (["cancel", "nosuch"], 1, "there is no instance"),
        (["terminate", "nosuch"], 1, "there is no instance"),
        (["list", "--status", "nosuch"], 2, "there is no status 'nosuch': use pending"),
        (["list", "--limit", "0"], 2, "'--limit': input should be greater than or equal to 1"),
        (["list", "--search", "a\0"], 2, "control character"),
        (["nosuch"], 2, "no such command 'nosuch'"),
        (["list", "--nosuch"], 2, "no such option.*--nosuch"),
        (["list", "--database", "http://localhost:4000"], 2, "the address of a dashboard"),
        (["list", "--database", "mysql://localhost/x"], 2, "from --database is not a PostgreSQL address"),
        (["list", "--database", "postgresql://localhost:port/x"], 1, "cannot be used"),
        (["list", "--namespace", 'a"b'], 2, 'a"b'),
    ],
)
def test_one_sentence(
    ox: Ox, folder: Path, count: Count, arguments: list[str], status: int, sentence: str
) -> None:
    (folder / "syntax.py").write_text("def (")
    (folder / "raises.py").write_text("a = 0\nb = 1 / a\n")
    (folder / "empty.py").write_text("")
    one = "@workflow\nasync def {}() -> None: ...\n"
    (folder / "twice.py").write_text(
        "from orquestrax import workflow\n"
        + one.format("one")
        + '\n@workflow(name="one")\nasync def two() -> None: ...\n'
    )
    ox(*arguments).refused(status, sentence)


@pytest.mark.usefixtures("nothing_written")
def test_too_large(ox: Ox, folder: Path) -> None:
    (folder / "big.json").write_text(f'[{{"id": "{"x" * 3_000_000}"}}]')
    ox("run", "flows.py:fulfil", "--input", "@big.json").refused(2, r"3,000,012 bytes .* over the limit")


def test_wrong_arguments_of_a_registered_definition(
    ox: Ox, spawn: Callable[..., Running], count: Count
) -> None:
    node = spawn("start", "flows.py", "--roles", "engine,worker")
    node.until("serves")
    ox("run", "double", "--input", '"x"').refused(
        2, "definition 'double', argument 'n': expected int, got str"
    )
    ox("run", "fulfil", "--input", "{").refused(2, "not valid JSON")
    assert count() == 0
    assert ox("run", "double", "--id", "a").status == 0
    ox("run", "double", "--id", "a", "--input", "1").refused(1, "the id 'a' belongs to .* another input")
    ox("run", "pause", "--id", "a", "--input", "1").refused(
        1, "the id 'a' belongs to an instance of 'double'"
    )
    assert count() == 1
    odd = ox("run", "odd", "--wait")
    assert (odd.status, odd.out) == (1, "")
    assert "object" in odd.told[-1]
    assert odd.told[-1].startswith("error: ")
    ox("signal", "a", "go").refused(1, "the instance has ended and takes no more messages")
    assert node.end(2).status == 0  # SIGINT


class Silent:
    """A port that takes connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    port = Silent()
    yield port
    port.close()


def test_closed_port(ox: Ox, silent: Silent) -> None:
    silent.close()
    url = f"postgresql://me:secret@127.0.0.1:{silent.port}/db"
    refused = ox("list", "--database", url)
    refused.refused(1, rf"no PostgreSQL answers at postgresql://me:…@127.0.0.1:{silent.port}/db")
    assert (
        refused.err.splitlines()[0]
        == f"database: postgresql://me:…@127.0.0.1:{silent.port}/db from --database"
    )


@pytest.mark.parametrize(
    "command", [["list"], ["run", "flows.py:double", "--wait"], ["db", "migrate"], ["dev"]]
)
def test_host_that_never_answers(
    ox: Ox, silent: Silent, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("ORQUESTRAX_DEADLINE", "0.5")
    begun = time.monotonic()
    flags = ["--port", str(_free_port())] if command == ["dev"] else []
    refused = ox(*command, *flags, "--database", f"postgresql://127.0.0.1:{silent.port}/db")
    refused.refused(1, "no PostgreSQL answered at .* in time")
    assert time.monotonic() - begun < 9, "without, it takes ten"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.parametrize("command", ["start", "dev"])
@pytest.mark.usefixtures("nothing_written")
def test_taken_port(ox: Ox, silent: Silent, command: str) -> None:
    ox(command, "flows.py", "--port", str(silent.port)).refused(2, rf"port {silent.port} is taken")


def test_data_of_another_version(ox: Ox, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="ox-") as home:
        Path(home).chmod(0o755)  # the server's user has to get there, who is another one than root
        data = Path(home, "postgres", "data")
        data.mkdir(parents=True)
        (data / "PG_VERSION").write_text("14\n")
        monkeypatch.setenv("ORQUESTRAX_HOME", home)
        ox("list").refused(1, r"PostgreSQL 14")
        assert sorted(path.name for path in data.iterdir()) == ["PG_VERSION"]


def test_missing_schema(ox: Ox, dsn: str) -> None:
    ox("list", "--database", dsn, "--namespace", "empty").refused(1, "run `orquestrax db migrate`")
    ox("dev", "--database", dsn, "--namespace", "empty", "--port", str(_free_port())).refused(
        2, "dev would create the schema empty in .*: say so with --yes, or run `orquestrax db migrate` first"
    )


def test_settings_file(ox: Ox, folder: Path) -> None:
    (folder / "orquestrax.toml").write_text('databse = "x"')
    ox("list").refused(2, "orquestrax.toml has an unknown setting 'databse'")
    (folder / "orquestrax.toml").write_text("port = ")
    ox("list").refused(2, "orquestrax.toml cannot be read")


def test_a_fault_of_ours_is_one_sentence_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORQUESTRAX_DEBUG", raising=False)
    monkeypatch.setattr("orquestrax.cli.instances.ask", lambda *_: 1 / 0)
    assert call(app, ["list"]) == 1
    told = capfd.readouterr().err
    assert told.startswith("error: ZeroDivisionError: division by zero; this is a fault of OrquestraX")
    assert told.count("\n") == 1
    monkeypatch.setenv("ORQUESTRAX_DEBUG", "1")
    assert call(app, ["list"]) == 1
    assert "Traceback" in capfd.readouterr().err


def test_what_is_printed_moves_no_cursor() -> None:
    assert printable("a\x1b[2Jb\udcff\n\x9b") == "a\\x1b[2Jb\\udcff\n\\x9b"
    assert printable("Zoë 😀") == "Zoë 😀"
