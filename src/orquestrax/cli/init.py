"""`init`: a commented settings file and a small workflow to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from orquestrax.cli.failing import say

SETTINGS: Final = """\
# Settings of OrquestraX for this folder. Flags and ORQUESTRAX_* variables come before what is written here.
# Everything is optional: without this file the embedded server is used.

# The database. Leave it out for the embedded server, which keeps one database for each project folder.
# Passwords belong into ORQUESTRAX_DATABASE_URL, since files get shared.
# database = "postgresql://postgres@localhost:5432/orders"

# The schema in that database; two applications may share a database by different names here.
# namespace = "orquestrax"

# Where the embedded server keeps its data, and nodes their locks.
# home = "~/.local/share/orquestrax"

# Where the dashboard listens. An address that others can reach needs ORQUESTRAX_TOKEN, 32 characters or more.
# host = "127.0.0.1"
# port = 4000

# Behind a transaction pooler, such as pgbouncer: nothing prepared, and an address without it for LISTEN.
# prepared = false
# listen = "postgresql://postgres@localhost:5432/orders"

# No: nobody is told of anything, and everybody looks once in a poll.
# hints = true

# Seconds between two signs of life of a node, of silence until others take over, and between two looks at what is due.
# heartbeat = 2.0
# lease = 10.0
# poll = 1.0

# Seconds that a call to the database may take.
# deadline = 10.0

# Seconds after which a node whose event loop stands still is given up, so that others take over.
# hung_after = 30.0

# The queues whose steps a node runs, and how many of one at a time; all of them unless set here.
# queues = "default,warehouse:20"

# How many steps a node runs at once.
# slots = 200

# Child processes that a node keeps for steps with executor="process"; one per core unless set here.
# processes = 2
"""

WORKFLOW: Final = '''\
"""A first workflow.

    orquestrax dev hello.py                                  and open http://localhost:4000
    orquestrax run hello.py:hello --input '"Ada"' --wait     in another terminal
"""

import asyncio

from orquestrax import Retry, step, workflow


@step(retry=Retry(attempts=3))
async def greet(name: str) -> str:
    """A step does the work: it may talk to the world, fail and be tried again."""
    await asyncio.sleep(1)
    return f"Hello, {name}!"


@workflow
async def hello(name: str = "world") -> list[str]:
    """A workflow says what is done, and survives crashes: kill it in the pause, and start it again."""
    first = await greet(name)
    await asyncio.sleep(5)  # a durable timer
    return [first, await greet(f"{name}, again")]
'''


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where to.", show_default=False)
    ] = Path(),
) -> None:
    """Write a commented orquestrax.toml and a small workflow, hello.py; never overwrite a file.

    Examples:

      orquestrax init

      orquestrax init shop
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("orquestrax.toml", SETTINGS), ("hello.py", WORKFLOW)):
        path = folder / name
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            say(f"wrote {path}")
        except FileExistsError:
            say(f"kept {path}: it is there already")
    say(f"next: orquestrax dev {folder / 'hello.py'}")
