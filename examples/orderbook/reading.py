"""The file of orders: CSV with a header. A row that does not fit is one sentence and leaves the others alone."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, TextIO

from orderbook.model import RATES, WHOLE, Item, Order

COLUMNS: Final = (
    "order", "placed_at", "customer", "email", "country", "currency", "items", "amount", "card",
)  # fmt: skip
_ITEM: Final = re.compile(r"(\d{1,4}) x (\S+) @ (\S+)")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CARD: Final = re.compile(r"(visa|mastercard|amex) \d{4}")
_NUMBER: Final = re.compile(r"\d{1,9}(\.\d{1,2})?")


class BadFile(Exception):
    """The file as a whole cannot be read; the message is one sentence."""


class BadRow(Exception):
    """One row does not fit; the message says why, without the place."""


def read_orders(path: Path) -> tuple[list[Order], list[str]]:
    """The orders of a file, and a sentence for each row that is none. Raises BadFile."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _sorted_out(file, path.name)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error


def _sorted_out(file: TextIO, name: str) -> tuple[list[Order], list[str]]:
    orders: dict[str, Order] = {}
    faults: list[str] = []
    rows = csv.reader(file, strict=True)
    _check_header(next(rows, []), name)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows, None)
            if row is None:
                return list(orders.values()), faults
            if row:
                _add(orders, _order(row))
        except (BadRow, csv.Error) as fault:
            faults.append(f"{name}, line {line}: {fault}")


def _add(orders: dict[str, Order], order: Order) -> None:
    if order.id in orders:
        raise BadRow(f"the order {order.id} is there twice: the first one counts")
    orders[order.id] = order


def _check_header(header: list[str], name: str) -> None:
    if tuple(header) != COLUMNS:
        raise BadFile(f"{name} is no file of orders: its first line has to be {','.join(COLUMNS)}")


def _order(row: list[str]) -> Order:
    if len(row) != len(COLUMNS):
        raise BadRow(f"it has {len(row)} fields instead of {len(COLUMNS)}")
    id_, placed_at, customer, email, country, currency, items, amount, card = (f.strip() for f in row)
    order = Order(
        id=_fits(re.compile(r"[A-Za-z0-9-]{1,40}"), id_, "order", "use letters, digits and dashes"),
        placed_at=_moment(placed_at),
        customer=_fits(re.compile(r".+"), customer, "customer", "write a name"),
        email=_fits(_EMAIL, email, "email", "write an address"),
        country=_fits(re.compile(r"[A-Z]{2}"), country, "country", "write two letters, such as DE"),
        currency=_currency(currency),
        amount=_money(amount, currency),
        card=_fits(_CARD, card, "card", "write brand and last digits, such as visa 4242"),
        items=[_item(text, currency) for text in items.split(" | ")],
    )
    total = sum((item.quantity * item.price for item in order.items), Decimal(0))
    if total != order.amount:
        raise BadRow(f"the amount is {order.amount}, but its items come to {total}")
    return order


def _fits(pattern: re.Pattern[str], text: str, column: str, advice: str) -> str:
    if not pattern.fullmatch(text):
        raise BadRow(f"{column} is {text!r}: {advice}")
    return text


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRow(f"placed_at is {text!r}: write a time with its zone, such as 2025-01-31T09:30:00+01:00")
    return moment


def _currency(text: str) -> str:
    if text not in RATES:
        raise BadRow(f"currency is {text!r}: there are rates for {', '.join(RATES)}")
    return text


def _item(text: str, currency: str) -> Item:
    found = _ITEM.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise BadRow(f"items has {text!r}: write pieces, number and price, such as 2 x ESP-200 @ 249.00")
    return Item(sku=found[2], quantity=int(found[1]), price=_money(found[3], currency))


def _money(text: str, currency: str) -> Decimal:
    value = Decimal(_fits(_NUMBER, text, "an amount", "write digits and a point, such as 1299.50"))
    if currency in WHOLE and value != value.to_integral_value():
        raise BadRow(f"an amount is {text}: {currency} has no cents")
    return value
