"""OrquestraX in one process: client, engine and worker. `python -m bench.peers.ours DSN`."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import uvloop

from bench.peers.talk import Engine, serve
from bench.workloads import ALL, fan_out, noop, one_step, ten_steps
from orquestrax.node import Node
from orquestrax.node.collector import relax
from orquestrax.settings import Settings


async def main(dsn: str) -> None:
    """Measure until stdin ends."""
    with tempfile.TemporaryDirectory(prefix="ox-bench-") as home:
        settings = Settings(database=dsn, home=Path(home), project=Path(home), namespace="bench")
        node = Node(settings, {workflow.name: workflow for workflow in ALL}, migrates=True)
        client = await node.start()
        relax()

        async def run(workflow: object, *args: int) -> object:
            return await (await client.start(workflow, *args)).result()  # type: ignore[arg-type]

        await serve(
            Engine(
                versions={"orquestrax": version("orquestrax")},
                settings="defaults, uvloop",
                one_step=lambda n: run(one_step, n),
                ten_steps=lambda n: run(ten_steps, n),
                fan_out=lambda width: run(fan_out, width),
                noop=lambda: run(noop),
            )
        )
        await node.stop(grace=0)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
