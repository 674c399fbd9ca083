"""The program around the workflows: starts one for each order, plays the person who approves, adds up."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import orquestrax as ox
from orderbook.model import Approval, Order, Outcome
from orderbook.reading import BadFile, read_orders

DEFAULT: Final = Path(__file__).parents[1] / "orders.csv"
FAR_TOO_MUCH: Final = Decimal(10_000)  # euros
SATURDAY: Final = 5


def main(orders: ModuleType, arguments: Sequence[str] | None = None) -> int:
    """Run the program of the module examples/orders.py; returns its exit status."""
    chosen = parser().parse_args(arguments)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        found, faults = read_orders(chosen.file)
        for fault in faults:
            console.print(fault, style="yellow", markup=False)
        outcomes = asyncio.run(_run(orders, found, chosen))
    except KeyboardInterrupt:
        console.print(
            "stopped: every order has kept what it did, run this again and it goes on", style="yellow"
        )
        return 130
    except BadFile as error:
        console.print(str(error), markup=False)
        return 2
    except ox.OrquestraxError as error:
        console.print(str(error), markup=False)
        return 1
    _sum_up(outcomes, orders)
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(description="Fulfil the orders of a CSV file, one workflow each.")
    made.add_argument("file", nargs="?", type=Path, default=DEFAULT, help="default: examples/orders.csv")
    made.add_argument("--day", type=_seconds, default=1.0, help="how long a day takes, in seconds (1)")
    made.add_argument("--batch", default="", help="a prefix for the ids: the same file again, as new orders")
    return made


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds from 0.001 to 86400")
    return value


async def _run(orders: ModuleType, found: Sequence[Order], chosen: argparse.Namespace) -> list[Outcome]:
    """Start all, answer for those that ask, and wait until the last one has ended."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tally: Counter[str] = Counter()
    async with ox.node([orders], grace=0) as client:
        with Progress(*columns, TextColumn("{task.fields[tally]}"), console=Console(stderr=True)) as progress:
            bar = progress.add_task("orders", total=len(found), tally="")

            async def follow(order: Order) -> Outcome:
                run = await _start(client, orders, order, chosen)
                await _answer(run, order, orders.LIMIT)
                outcome: Outcome = await run.result()
                tally[outcome.status] += 1
                delivered = tally["delivered"]
                told = f"{delivered} delivered, {tally.total() - delivered} refused"
                progress.update(bar, advance=1, tally=told)
                return outcome

            return await asyncio.gather(*(follow(order) for order in found))


async def _start(
    client: ox.Client, orders: ModuleType, order: Order, chosen: argparse.Namespace
) -> ox.Run[Outcome]:
    run: ox.Run[Outcome] = await client.start(
        orders.fulfil, order, chosen.day, id=f"{chosen.batch}{order.id}"
    )
    return run


async def _answer(run: ox.Run[Any], order: Order, limit: Decimal) -> None:
    """The head of sales: agrees, but not to everything, and never at weekends."""
    if order.euros <= limit or date(*order.placed_at.timetuple()[:3]).weekday() >= SATURDAY:
        return
    answer = Approval(granted=order.euros < FAR_TOO_MUCH, by="R. Varga")
    with suppress(ox.InstanceEnded):
        await run.signal("approval", answer, message_id=f"approval of {run.id}")


def _sum_up(outcomes: Sequence[Outcome], orders: ModuleType) -> None:
    """Print what came of the orders, and what the world says of it."""
    table = Table("outcome", "orders", "euros", title=f"{len(outcomes)} orders")
    table.columns[1].justify = table.columns[2].justify = "right"
    for status, count in Counter(outcome.status for outcome in outcomes).most_common():
        euros = sum((o.euros for o in outcomes if o.status == status), Decimal(0))
        table.add_row(status, str(count), f"{euros:,.2f}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    opened = orders.the_world.fn()
    books = next(opened).books()
    opened.close()
    console.print(
        f"charged {books.charged:,.2f} EUR, refunded {books.refunded:,.2f}, charged twice: {books.charged_twice} "
        f"(requests that were asked again and changed nothing: {books.asked_again})"
    )
    if books.charged_twice:
        console.print(
            "the orders were forgotten and the world was not: remove orders.sqlite as well", style="red"
        )
