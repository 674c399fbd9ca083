"""examples/orders.py: what becomes of each order, whatever happens to the program in between."""

from __future__ import annotations

import asyncio
import csv
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import asyncpg
import orders as example
import pytest
from orderbook import make
from orderbook.model import Order
from orderbook.program import FAR_TOO_MUCH, SATURDAY, main
from orderbook.reading import read_orders
from orderbook.world import SOLD_OUT

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.define.catalogue import collect
from orquestrax.define.modules import load_modules
from tests.examples.conftest import EXAMPLES, Program

ORDERS = read_orders(EXAMPLES / "orders.csv")[0]


def expected(order: Order) -> str:
    """What the rules of the shop say, in one place and in their order."""
    asked = order.euros > example.LIMIT
    if any(item.sku in SOLD_OUT for item in order.items):
        return "out of stock"
    if order.card[-4:] in example.DECLINED:
        return "declined"
    if asked and (order.placed_at.weekday() >= SATURDAY or order.euros >= FAR_TOO_MUCH):
        return "rejected"
    return "not deliverable" if order.country in example.UNREACHABLE else "delivered"


ANSWERED = sum(  # orders that wait for an answer and get one
    order.euros > example.LIMIT
    and order.placed_at.weekday() < SATURDAY
    and expected(order) in ("delivered", "rejected", "not deliverable")
    for order in ORDERS
)


def effects(world: Path) -> list[tuple[str, str, Decimal, int]]:
    """Kind, order, euros and number of requests of everything that happened outside."""
    with closing(sqlite3.connect(world)) as connection:
        rows = connection.execute("select kind, order_id, euros, asked from effects").fetchall()
    return [(kind, order, Decimal(euros), asked) for kind, order, euros, asked in rows]


def check_world(world: Path) -> None:
    """Everything happened once, for whom it should have; what was taken from the others went back."""
    happened = Counter((kind, order) for kind, order, _, _ in effects(world))
    kinds = ("reserve", "release", "charge", "refund", "parcel", "letter")
    for order in ORDERS:
        outcome = expected(order)
        counts = [happened[kind, order.id] for kind in kinds]
        assert (
            counts
            == {
                "delivered": [1, 0, 1, 0, 1, 2],
                "out of stock": [0, 0, 0, 0, 0, 1],
                "declined": [1, 1, 0, 0, 0, 1],
                "rejected": [1, 1, 1, 1, 0, 1],
                "not deliverable": [1, 1, 1, 1, 0, 1],
            }[outcome]
        ), order
    with closing(sqlite3.connect(world)) as connection:
        sold = dict(connection.execute("select sku, pieces from sold where pieces <> 0"))
    delivered = (item for order in ORDERS if expected(order) == "delivered" for item in order.items)
    wanted: Counter[str] = Counter()
    for item in delivered:
        wanted[item.sku] += item.quantity
    assert sold == wanted


def check_summary(out: str) -> None:
    for outcome, count in Counter(map(expected, ORDERS)).items():
        assert any(outcome in line and f" {count} " in line for line in out.splitlines()), out
    assert "charged twice: 0 " in out


def test_every_order_comes_to_what_the_rules_say(program: Callable[..., Program], tmp_path: Path) -> None:
    status, out, err = program("orders.py", "--day", "0.15").end()
    assert status == 0, err
    check_summary(out)
    check_world(tmp_path / "orders.sqlite")
    assert sum(line.startswith("orders.csv, line ") for line in err.splitlines()) == len(make.FAULTS) + 1
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.verify)])
def test_I8_interrupted_in_the_middle_it_goes_on(
    program: Callable[..., Program], schema: Address, tmp_path: Path, number: signal.Signals
) -> None:
    world = tmp_path / "orders.sqlite"
    first = program("orders.py", "--day", "0.3")
    until(lambda: world.exists() and count(world, "parcel") >= 40 and answers(schema) >= ANSWERED)
    status, _, err = first.end(number)
    if number == signal.SIGINT:
        assert status == 130
        assert (
            err.splitlines()[-1] == "stopped: every order has kept what it did, run this again and it goes on"
        )
        assert "Traceback" not in err
    assert count(world, "letter") < len(ORDERS) + sum(expected(o) == "delivered" for o in ORDERS), (
        "all was over"
    )
    status, out, err = program("orders.py", "--day", "0.3").end()
    assert status == 0, err
    check_summary(out)
    check_world(world)


def count(world: Path, kind: str) -> int:
    """How many effects of a kind there are."""
    try:
        return sum(each == kind for each, *_ in effects(world))
    except sqlite3.OperationalError:  # it has no table yet
        return 0


def answers(schema: Address) -> int:
    """How many orders have the answer of the head of sales; without it in time they would be rejected."""
    return asyncio.run(_answers(schema))


async def _answers(schema: Address) -> int:
    connection = await asyncpg.connect(schema.dsn)
    try:
        count: int = await connection.fetchval(
            f"select (select count(*) from {schema.schema}.inbox where kind = 'signal')"
            f" + (select count(*) from {schema.schema}.events where type = 'signal_received')"
        )
        return count
    finally:
        await connection.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_lost_answer_is_asked_for_again_and_charges_nobody_twice(
    program: Callable[..., Program], tmp_path: Path
) -> None:
    row = next(row for row in make.rows() if make_luck(f"x-{row[0]}") == 1 and "9" not in row[8])
    file = tmp_path / "one.csv"
    file.write_text(f"{','.join(make.COLUMNS)}\n{','.join(row)}\n", encoding="utf-8")
    status, out, err = program("orders.py", "one.csv", "--day", "0.01", "--batch", "x-").end()
    assert status == 0, err
    charges = [
        (asked, euros) for kind, _, euros, asked in effects(tmp_path / "orders.sqlite") if kind == "charge"
    ]
    assert [asked for asked, _ in charges] == [2]
    assert "asked again and changed nothing: 1)" in out
    status, _, err = program("orders.py", "one.csv", "--day", "0.02", "--batch", "x-").end()
    assert status == 1
    told = f"the id 'x-{row[0]}' belongs to an instance of 'fulfil' with another input"
    assert err.splitlines()[-1] == told, "another day is another input"


def make_luck(order: str) -> int:
    return example.zlib.crc32(order.encode()) % 10


def test_the_file_is_what_its_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "FILE", tmp_path / "orders.csv")
    make.main()
    assert (tmp_path / "orders.csv").read_bytes() == (EXAMPLES / "orders.csv").read_bytes()


def test_every_outcome_is_in_the_file() -> None:
    assert {expected(order) for order in ORDERS} == {
        "delivered", "out of stock", "declined", "rejected", "not deliverable",
    }  # fmt: skip


def test_dev_serves_it() -> None:
    (module,) = load_modules([str(EXAMPLES / "orders.py")])
    served = collect([module])
    assert set(served.workflows) == {"fulfil"}
    assert set(served.steps) == {"reserve", "release", "charge", "refund", "pick", "ship", "write_to"}


@pytest.mark.parametrize("arguments", [["nowhere.csv"], ["orders.py"], ["picture.csv"]])
def test_a_file_that_is_none_is_one_sentence(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.py").write_text("import this\n")
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0")
    assert main(example, arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


GOOD = dict(zip(make.COLUMNS, make.rows()[0], strict=True))
BAD = [
    ({"amount": "12,50"}, "an amount is '12,50': write digits and a point, such as 1299.50"),
    ({"amount": "267.9"}, None),
    ({"amount": "1"}, "the amount is 1, but its items come to 267.90"),
    ({"email": "anna"}, "email is 'anna': write an address"),
    ({"country": "Germany"}, "country is 'Germany': write two letters, such as DE"),
    ({"currency": "cad"}, "currency is 'cad': there are rates for "),
    ({"currency": "JPY"}, "an amount is 267.90: JPY has no cents"),
    ({"card": "visa 4242 4242"}, "card is 'visa 4242 4242': write brand and last digits"),
    ({"placed_at": "2025-03-01T06:38:05"}, "placed_at is '2025-03-01T06:38:05': write a time with its zone"),
    ({"items": "GRD-110"}, "items has 'GRD-110': write pieces, number and price"),
    ({"items": "0 x GRD-110 @ 1"}, "items has '0 x GRD-110 @ 1'"),
    ({"order": "A 1"}, "order is 'A 1': use letters, digits and dashes"),
    ({"customer": " "}, "customer is '': write a name"),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD)
def test_a_bad_row_is_one_sentence(changes: dict[str, str], sentence: str | None, tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([make.COLUMNS, {**GOOD, **changes}.values(), make.rows()[1]])
    found, faults = read_orders(file)
    if sentence is None:
        assert (len(found), faults) == (2, [])
    else:
        assert len(found) == 1, "the good row is read"
        assert len(faults) == 1
        assert faults[0].startswith(f"few.csv, line 2: {sentence}")


def test_the_examples_need_only_the_public_face() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in EXAMPLES.rglob("*.py"))
    assert "from orquestrax" not in text
    assert ox.__all__
