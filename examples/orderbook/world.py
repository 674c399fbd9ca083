"""The world outside of the workflows: stock, payments, parcels, invoices and letters, in one SQLite file.

It behaves as good services do: a request that it has seen already, by its key, is answered as the first time and
changes nothing. It also counts, so that whoever charged a customer twice would be found out.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from orderbook.model import Item, OutOfStock

PLENTY: Final = 100_000
SOLD_OUT: Final = frozenset({"VNL-042", "GRD-900"})
SCHEMA: Final = """
    create table if not exists sold (sku text primary key, pieces integer not null);
    create table if not exists effects (
        key text primary key,
        kind text not null,
        order_id text not null,
        detail text not null,
        euros text not null,
        asked integer not null
    );
    create index if not exists effects_of_orders on effects (order_id, kind);
"""


@dataclass(frozen=True, slots=True)
class Books:
    """What the world says has happened: effects by kind, sums in euros, and orders that were charged twice."""

    effects: dict[str, int]
    charged: Decimal
    refunded: Decimal
    charged_twice: int
    asked_again: int


class World:
    """One file, one connection; may be used from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = normal")  # survives the end of processes, not of power
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def once(
        self,
        key: str,
        kind: str,
        order_id: str,
        make: Callable[[int], str],
        *,
        euros: Decimal = Decimal(0),
        sells: Iterable[Item] = (),
        takes_back: Iterable[Item] = (),
    ) -> str:
        """Do something, if no request with this key has done it before, and return what it is called.

        `make` is handed the number of effects so far. Raises OutOfStock, and then nothing has happened.
        """
        with self._lock, closing(self._connection.cursor()) as cursor:
            cursor.execute("begin immediate")
            try:
                detail = self._seen(cursor, key)
                if detail is None:
                    self._move(cursor, sells, takes_back)
                    number = cursor.execute("select count(*) from effects").fetchone()[0]
                    detail = make(number)
                    row = (key, kind, order_id, detail, str(euros))
                    cursor.execute("insert into effects values (?, ?, ?, ?, ?, 1)", row)
                cursor.execute("commit")
            except BaseException:
                cursor.execute("rollback")
                raise
            return detail

    @staticmethod
    def _seen(cursor: sqlite3.Cursor, key: str) -> str | None:
        found = cursor.execute("update effects set asked = asked + 1 where key = ? returning detail", (key,))
        row = found.fetchone()
        return None if row is None else str(row[0])

    @staticmethod
    def _move(cursor: sqlite3.Cursor, sells: Iterable[Item], takes_back: Iterable[Item]) -> None:
        moved = [(item.sku, item.quantity) for item in sells] + [(i.sku, -i.quantity) for i in takes_back]
        for sku, pieces in moved:
            upsert = "insert into sold values (?, ?) on conflict (sku) do update set pieces = pieces + ?"
            cursor.execute(f"{upsert} returning pieces", (sku, pieces, pieces))
            stock = 0 if sku in SOLD_OUT else PLENTY
            if cursor.fetchone()[0] > stock:
                raise OutOfStock(f"{sku} is sold out")

    def books(self) -> Books:
        """What has happened so far."""
        with self._lock:
            rows = self._connection.execute("select kind, order_id, euros, asked from effects").fetchall()
        effects: dict[str, int] = {}
        sums = {"charge": Decimal(0), "refund": Decimal(0)}
        charges: dict[str, int] = {}
        for kind, order_id, euros, _asked in rows:
            effects[kind] = effects.get(kind, 0) + 1
            if kind in sums:
                sums[kind] += Decimal(euros)
            if kind == "charge":
                charges[order_id] = charges.get(order_id, 0) + 1
        return Books(
            effects=effects,
            charged=sums["charge"],
            refunded=sums["refund"],
            charged_twice=sum(times > 1 for times in charges.values()),
            asked_again=sum(asked - 1 for *_, asked in rows),
        )
