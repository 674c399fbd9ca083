"""Orders, their outcomes, and why an order is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

RATES: Final = {  # units of a currency for one euro
    "EUR": Decimal(1),
    "USD": Decimal("1.04"),
    "GBP": Decimal("0.83"),
    "CHF": Decimal("0.94"),
    "SEK": Decimal("11.50"),
    "DKK": Decimal("7.46"),
    "PLN": Decimal("4.25"),
    "CZK": Decimal("25.10"),
    "JPY": Decimal(163),
    "INR": Decimal("89.20"),
    "BRL": Decimal("6.40"),
    "CAD": Decimal("1.49"),
}
WHOLE: Final = frozenset({"JPY"})  # currencies without cents

Status = Literal["delivered", "out of stock", "declined", "rejected", "not deliverable"]


@dataclass(frozen=True, slots=True)
class Item:
    """A line of an order; `price` is for one piece, in the order's currency."""

    sku: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `country` is a code of two letters, `card` the brand and the last four digits."""

    id: str
    placed_at: datetime
    customer: str
    email: str
    country: str
    currency: str
    amount: Decimal
    card: str
    items: list[Item]

    @property
    def euros(self) -> Decimal:
        return (self.amount / RATES[self.currency]).quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True)
class Approval:
    """What somebody says of an order above the limit: the payload of the signal `approval`."""

    granted: bool
    by: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended: with the number of its parcel, or with the reason why there is none."""

    status: Status
    euros: Decimal
    parcel: str | None = None
    reason: str | None = None


class Refused(Exception):
    """An order cannot go on, and trying again would not help: what was done for it is undone."""

    status: Status = "rejected"


class OutOfStock(Refused):
    """Something is not there in the quantity that was ordered."""

    status = "out of stock"


class CardDeclined(Refused):
    """The bank says no."""

    status = "declined"


class NotApproved(Refused):
    """Somebody said no, or nobody said anything in time."""


class NotDeliverable(Refused):
    """No courier goes there."""

    status = "not deliverable"
