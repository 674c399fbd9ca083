"""The services of Restate, served by hypercorn in a process of their own.

`python -m bench.peers.restate_service PORT`
"""

from __future__ import annotations

import logging
import sys

import hypercorn
import hypercorn.asyncio
import restate
import uvloop

bench = restate.Service("bench")


async def small(context: restate.Context, n: int) -> dict[str, int]:
    async def body() -> dict[str, int]:
        return {"n": n}

    return await context.run_typed("small", body)


@bench.handler()
async def one_step(context: restate.Context, n: int) -> dict[str, int]:
    return await small(context, n)


@bench.handler()
async def ten_steps(context: restate.Context, n: int) -> int:
    total = n
    for i in range(10):
        total += (await small(context, i))["n"]
    return total


@bench.handler()
async def fan_out(context: restate.Context, width: int) -> int:
    async def body() -> dict[str, int]:
        return {"n": 1}

    steps = [context.run_typed("small", body) for _ in range(width)]
    return len(await restate.gather(*steps))


@bench.handler()
async def noop(_context: restate.Context, n: int) -> int:
    return n


def main(port: int) -> None:
    """Serve until the process is ended."""
    logging.disable(logging.WARNING)
    config = hypercorn.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.h2_max_concurrent_streams = 1000
    config.loglevel = "ERROR"
    uvloop.run(hypercorn.asyncio.serve(restate.app(services=[bench]), config))


if __name__ == "__main__":
    main(int(sys.argv[1]))
