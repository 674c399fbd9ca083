"""`orquestrax drain`: nodes are told to end, from anywhere, and waited for as long as they live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .conftest import Result, Running

Ox = Callable[..., Result]
Spawn = Callable[..., Running]
HOLDS = """
import threading

import orquestrax as ox


@ox.step
def held() -> str:
    print("it runs", flush=True)
    threading.Event().wait(1.5)
    return "whole"


@ox.workflow
async def holds() -> str:
    return await held()
"""


def test_a_node_is_waited_for_until_it_has_ended(namespace: str, folder: Path, ox: Ox, spawn: Spawn) -> None:
    """Its process ends with status 0, and what ran has ended by itself."""
    (folder / "slow.py").write_text(HOLDS)
    node = spawn("start", "slow.py", "--roles", "engine,worker", "--grace", "60")
    node.until("serves holds")
    ox("run", "holds", "--id", "h")
    assert node.process.stdout is not None
    assert node.process.stdout.readline() == "it runs\n"
    (name,) = [each["name"] for each in ox("nodes", "--json").json]
    told = ox("drain", name)
    assert (told.status, told.told) == (0, [f"told {name} to drain", "ended"])
    assert ox("show", "h", "--json").json["result"] == "whole"
    node.until("^drained$")
    assert node.end().status == 0


def test_what_shows_no_sign_of_life_is_not_waited_for(registered: Callable[..., int], ox: Ox) -> None:
    """Nobody else is there to declare it dead: ten seconds of lease and half a minute are over."""
    number = registered(then="seen_at = now() - interval '41 seconds'")
    left = ox("drain", str(number))
    assert (left.status, left.told) == (
        1,
        [
            f"told node-{number} to drain",
            f"error: not ended, and without a sign of life: node-{number}; does its process still live?",
        ],
    )


def test_what_is_named_wrongly(registered: Callable[..., int], ox: Ox) -> None:
    one = registered()
    registered(name="gone", then="status = 'dead', ended_at = now()")
    ox("drain", "nobody").refused(1, f"there is no live node 'nobody': live are node-{one}$")
    ox("drain", "gone-2").refused(1, "there is no live node 'gone-2'")
    ox("drain").refused(2, "name the nodes that are to end, or say --all")
    ox("drain", str(one), "--all").refused(2, "name the nodes that are to end, or say --all")
    for wrong in ("nan", "inf", "-1", "soon"):
        ox("drain", "--all", f"--grace={wrong}").refused(2, "'--grace': .*see `orquestrax drain --help`")
    (there,) = ox("nodes", "--json").json[-1:]
    assert there["status"] == "alive", "nobody was told anything"
