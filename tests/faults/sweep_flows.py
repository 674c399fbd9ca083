"""What the crash sweep runs: the kitchen sink and the two examples on small inputs, each body leaving a trace.

A trace is a line in the file that SWEEP_TRACE names: the body's idempotency key and its step. It is written before
the body begins, and outlives whoever wrote it. The folder examples/ has to be on the path.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import asyncpg
import audit
import orders
from audit import check, report, survey, unlisted
from auditing.model import Decision
from orderbook.model import Approval, Order
from orderbook.reading import read_orders

import orquestrax as ox
from tests.faults import careful, kitchen, plain_kitchen

EXAMPLES = Path(__file__).parents[2] / "examples"


def trace() -> None:
    info = ox.step_info()
    with Path(os.environ["SWEEP_TRACE"]).open("a") as out:
        out.write(f"{info.idempotency_key} {info.step}\n")


def traced(step: Any) -> None:
    """The same step; its module becomes this one, so that child processes trace as well."""
    body = step.fn
    wrapper: Callable[..., Any]
    if asyncio.iscoroutinefunction(body):

        @functools.wraps(body)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            trace()
            return await body(*args, **kwargs)
    else:

        @functools.wraps(body)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            trace()
            return body(*args, **kwargs)

    wrapper.__module__ = __name__
    step.fn = wrapper


class Sink:
    """The kitchen sink, one instance."""

    workflow: ox.Workflow[[int], dict[str, object]] = kitchen.kitchen_sink

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ids(self, tag: str) -> list[str]:
        return [tag]

    async def drive(self, client: ox.Client, tag: str) -> Any:
        run = await client.start(self.workflow, 7, id=tag)
        with suppress(ox.InstanceEnded):
            await run.signal("approval", True, message_id=f"approval of {tag}")
        return await run.result(60)


class PlainSink(Sink):
    """The same as a plain `def`."""

    workflow = plain_kitchen.plain_kitchen_sink


class Careful:
    """The careful kitchen; its bookings are in the engine's database."""

    workflow = careful.careful_kitchen

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ids(self, tag: str) -> list[str]:
        return [tag]

    async def drive(self, client: ox.Client, tag: str) -> Any:
        query = client.store.database.query
        with suppress(asyncpg.DuplicateTableError):
            await query("create table kitchen_bookings (dish text)")
        run = await client.start(careful.careful_kitchen, 7, id=tag)
        with suppress(ox.InstanceEnded):
            await run.signal("approval", True, message_id=f"approval of {tag}")
        outcome = await run.result(60)
        booked = await query("select count(*) as n from kitchen_bookings where dish = $1", tag)
        assert booked[0]["n"] == 1, "I9: exactly once"
        return outcome


class Orders:
    """Three orders: one needs approval and is delivered, one has a bad card, one goes where nothing goes."""

    workflow = orders.fulfil

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = read_orders(EXAMPLES / "orders.csv")[0]
        self.orders = [
            self._first(found, lambda o: o.euros > orders.LIMIT and len(o.items) == 2),
            self._first(found, lambda o: o.card[-4:] in orders.DECLINED and len(o.items) == 1),
            self._first(found, lambda o: o.country in orders.UNREACHABLE and o.euros < orders.LIMIT),
        ]

    @staticmethod
    def _first(found: list[Order], fits: Callable[[Order], bool]) -> Order:
        sold_out = {"VNL-042", "GRD-900"}
        return next(o for o in found if fits(o) and not sold_out & {item.sku for item in o.items})

    def ids(self, tag: str) -> list[str]:
        return [f"{tag}-{order.id}" for order in self.orders]

    async def drive(self, client: ox.Client, tag: str) -> Any:
        runs = [
            await client.start(orders.fulfil, order, 0.004, id=id_)
            for order, id_ in zip(self.orders, self.ids(tag), strict=True)
        ]
        with suppress(ox.InstanceEnded):
            granted = Approval(granted=True, by="sweep")
            await runs[0].signal("approval", granted, message_id=f"approval of {tag}")
        outcomes = [await run.result(60) for run in runs]
        return [[each.status, str(each.euros), each.reason] for each in outcomes] + self._world(tag)

    def _world(self, tag: str) -> list[Any]:
        """Everything that happened outside, once each: a double charge would be two rows."""
        with closing(sqlite3.connect(os.environ["ORDERS_WORLD"])) as world:
            rows = world.execute(
                "select order_id, kind, euros from effects where order_id like ? order by 1, 2, 3",
                (f"{tag}-%",),
            )
            return [[order.removeprefix(tag), *rest] for order, *rest in rows]


class Audit:
    """Three distributions of a small environment, one of them modified."""

    workflow = audit.audit

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, folder / "venv" / "lib" / "python3.11" / "site-packages"

    def ids(self, tag: str) -> list[str]:
        return [tag]

    async def drive(self, client: ox.Client, tag: str) -> Any:
        report_folder = self.folder / tag
        run = await client.start(audit.audit, [str(self.site)], str(report_folder), id=tag)
        with suppress(ox.InstanceEnded):
            await run.signal("approval", Decision(True, "sweep"), message_id=f"approval of {tag}")
        verdict = await run.result(60)
        told = json.loads((report_folder / "audit.json").read_text(encoding="utf-8"))
        assert (report_folder / "audit.html").is_file()
        return [verdict.flagged, verdict.verified, told["totals"], told["distributions"], told["decision"]]


SCENARIOS = {"kitchen": Sink, "plain": PlainSink, "careful": Careful, "orders": Orders, "audit": Audit}
orders.APPROVAL_DAYS = 1_000_000  # days are short here, and a restart is not to cost the answer
for _step in (
    kitchen.add, kitchen.in_thread, kitchen.flaky, kitchen.slow, kitchen.large, kitchen.endless, kitchen.missing,
    careful.once, careful.book,
    orders.reserve, orders.release, orders.charge, orders.refund, orders.pick, orders.ship, orders.write_to,
    survey, check, unlisted, report,
):  # fmt: skip
    traced(_step)
