"""Golden histories: programs with what happened to them, recorded once and replayed for ever by every Python.

`python -m tests.unit.replay.golden record FILE…` fills in the history and the outcome of new files;
`… replay` replays all that this Python can run and prints what differs.

A file has the `program` as lines, its `signals` and `cancel` (µs), and since which Python it runs. Where it has
`changed`, that program does not fit the history: then `recorded` and `asked` are the two sides of the difference.
"""

from __future__ import annotations

import json
import logging
import platform
import sys
from pathlib import Path
from typing import Any, Final

from tests.unit.replay.driver import Driver, Twice, Workflow
from tests.unit.replay.kit import close_all, rebuild
from tests.unit.replay.programs import Program

from orquestrax.base.errors import NonDeterminism
from orquestrax.model.events import Event

FOLDER: Final = Path(__file__).parents[2] / "histories"


def files() -> list[Path]:
    """Those that this Python can run."""
    return [path for path in sorted(FOLDER.glob("*.json")) if _since(path) <= sys.version_info[:2]]


def _since(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in _load(path)["since"].split("."))


def _load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _program(golden: dict[str, Any], key: str = "program") -> Program:
    signals = [(at, name) for at, name in golden["signals"]]
    return Program("\n".join(golden[key]) + "\n", signals, golden["cancel"])


def replay(path: Path) -> dict[str, Any]:
    """What replaying a file comes to, under the names that the file has for it."""
    golden = _load(path)
    history = [Event(**{**event, "data": json.dumps(event["data"])}) for event in golden["history"]]
    key = "changed" if "changed" in golden else "program"
    try:
        rebuilt = rebuild(Workflow(_program(golden, key)), history)
    except NonDeterminism as error:
        return {"recorded": error.recorded, "asked": error.asked}
    finally:
        close_all()
    ended = rebuilt.finish
    outcome = None if ended is None else [ended.status, json.loads(ended.payload)]
    return {"outcome": outcome, "trail": rebuilt.trail}


def expected(path: Path) -> dict[str, Any]:
    """What the file says that it comes to."""
    golden = _load(path)
    keys = ("recorded", "asked") if "changed" in golden else ("outcome", "trail")
    return {key: golden[key] for key in keys}


def record(path: Path) -> None:
    """Run the program, and write down what happened."""
    golden = _load(path)
    host = Twice(Workflow(_program(golden)))
    Driver(_program(golden), host).drive()
    golden["history"] = [
        {name: getattr(event, name) for name in ("seq", "type", "at", "issued", "trail")}
        | {"data": json.loads(event.data)}
        for event in host.history
    ]
    host.close()
    golden["python"] = platform.python_version()
    path.write_text(_written(golden), encoding="utf-8")
    golden |= replay(path)
    path.write_text(_written(golden), encoding="utf-8")


def _written(golden: dict[str, Any]) -> str:
    """As JSON with a line for each line of a program and each event."""
    parts = []
    for name, value in golden.items():
        if name in ("program", "changed", "history"):
            lines = ",\n".join(f"  {json.dumps(each)}" for each in value)
            parts.append(f" {json.dumps(name)}: [\n{lines}\n ]")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(command: str, *names: str) -> None:
    logging.getLogger("orquestrax.workflow").disabled = True
    if command == "record":
        for name in names:
            record(Path(name))
        return
    for path in files():
        if (found := replay(path)) != expected(path):
            print(f"{path.name}: {found} instead of {expected(path)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
