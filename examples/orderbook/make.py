"""Writes examples/orders.csv anew: `python -m orderbook.make` in examples/. The same each time."""

from __future__ import annotations

import csv
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Final

from orderbook.model import RATES, WHOLE
from orderbook.reading import COLUMNS

COUNT: Final = 240
FILE: Final = Path(__file__).parents[1] / "orders.csv"
GOODS: Final = {  # number: price in euros
    "ESP-200": "249.00", "ESP-900": "1480.00", "GRD-110": "89.90", "GRD-900": "699.00", "KTL-030": "64.50",
    "CUP-004": "12.95", "CUP-012": "34.00", "BNS-250": "9.80", "BNS-1000": "33.60", "FLT-100": "5.40",
    "SCL-020": "42.00", "VNL-042": "31.99", "LMP-310": "118.00", "LMP-700": "560.00", "DSK-160": "429.00",
    "CHR-220": "389.00", "CHR-500": "1249.00", "SHF-080": "96.00", "RUG-240": "735.00", "BLK-015": "58.00",
}  # fmt: skip
PEOPLE: Final = {
    "DE": ("EUR", "Anna Lukas Miriam Jonas Käthe Özlem", "Müller Schmidt Weiß Krüger Yilmaz Hoffmann"),
    "FR": ("EUR", "Camille Théo Inès Hugo Maëlle Benoît", "Lefèvre Moreau Garçon Dubois Nguyen Petit"),
    "ES": ("EUR", "Lucía Javier Marta Iñigo Carmen Pau", "García Núñez Ibáñez Serrano Vidal Castro"),
    "NL": ("EUR", "Sanne Daan Fleur Joost Lotte Ruben", "Jansen Bakker Visser Smit Mulder Bos"),
    "IE": ("EUR", "Aoife Cian Niamh Oisín Saoirse Darragh", "Murphy Byrne Walsh Doyle Nolan Kearney"),
    "US": ("USD", "Emily Marcus Priya Tyler Destiny Andrew", "Johnson Patel Rivera O'Connor Kim Brooks"),
    "GB": ("GBP", "Olivia Harry Amelia Rhys Zainab George", "Taylor Hughes Ahmed Campbell Wright Bell"),
    "CH": ("CHF", "Lara Noah Chiara Beat Reto Sina", "Keller Rossi Zürcher Favre Brunner Meier"),
    "SE": ("SEK", "Astrid Björn Elsa Nils Åsa Gustav", "Lindqvist Öberg Sjöström Ek Nyström Berg"),
    "DK": ("DKK", "Freja Søren Ida Mads Kirsten Jørgen", "Nielsen Østergaard Holm Kjær Lund Dam"),
    "PL": ("PLN", "Zofia Łukasz Agnieszka Paweł Ewa Michał", "Kowalska Wójcik Żak Nowak Mazur Lis"),
    "CZ": ("CZK", "Tereza Jiří Eliška Ondřej Věra Matěj", "Novák Dvořák Černý Růžička Král Beneš"),
    "JP": ("JPY", "Haruka Kenji Yui Sōta Aiko Ren", "Tanaka Satō Kobayashi Mori Itō Yamada"),
    "IN": ("INR", "Ananya Arjun Kavya Rohan Meera Vikram", "Sharma Iyer Reddy Banerjee Khan Desai"),
    "BR": ("BRL", "Júlia João Beatriz Thiago Luíza Caio", "Souza Araújo Gonçalves Lima Rocha Melo"),
    "CA": ("CAD", "Chloé Liam Amélie Ethan Noor Gavin", "Tremblay Singh Gagnon MacDonald Roy Chen"),
    "AQ": ("USD", "Ingrid", "Halvorsen"),  # a research station: no courier goes there
}  # fmt: skip
DOMAINS: Final = ("example.com", "example.org", "mail.example.net", "post.example.eu")
CARDS: Final = ("visa 4242", "visa 1881", "mastercard 4444", "mastercard 8210", "amex 0005")
BAD_CARDS: Final = ("visa 0002", "mastercard 9995", "amex 0069")  # declined, no cover, expired
FAULTS: Final = (
    'X-1,2025-03-03T10:00:00+00:00,Petra Lang,petra@example.com,DE,EUR,1 x ESP-200 @ 249.00,"249,00",visa 4242',
    "X-2,2025-03-03T10:05:00+00:00,Tom Reed,tom@example.com,US,USD,2 x CUP-004 @ 13.47,27.94,visa 4242",
    "X-3,2025-03-03T10:10:00+00:00,Lena Falk,lena.falk,SE,SEK,1 x FLT-100 @ 62.10,62.10,visa 4242",
    "X-4,2025-03-03T10:15:00+00:00,Marek Lis,marek@example.org,PL,ZŁ,1 x KTL-030 @ 274.13,274.13,visa 4242",
    "X-5,2025-03-03T10:20:00+00:00,Aiko Mori,aiko@example.com,JP,JPY,0 x BNS-250 @ 1597,0,visa 4242",
    "X-6,yesterday,Omar Khan,omar@example.net,GB,GBP,1 x LMP-310 @ 97.94,97.94,visa 4242",
    'X-7,2025-03-03T10:30:00+00:00,"Smith, Jane",jane@example.com,GB,GBP,1 x CUP-012 @ 28.22,28.22',
)  # fmt: skip


def rows() -> list[list[str]]:
    """The good rows, and among them every edge that an order can come to."""
    random = Random(2025)
    placed = datetime(2025, 3, 1, 6, tzinfo=UTC)
    made = []
    for number in range(COUNT):
        placed += timedelta(minutes=random.randint(3, 45), seconds=random.randint(0, 59))
        made.append(_row(random, number, placed))
    return made


def _row(random: Random, number: int, placed: datetime) -> list[str]:
    country = "AQ" if number in (57, 171) else random.choice([c for c in PEOPLE if c != "AQ"])
    currency, first, last = PEOPLE[country]
    customer = f"{random.choice(first.split())} {random.choice(last.split())}"
    wanted = [sku for sku in random.sample(sorted(GOODS), random.randint(1, 4)) if _ordinary(sku, number)]
    items = [(_pieces(random, sku, number), sku, _price(sku, currency)) for sku in wanted or ["CUP-012"]]
    amount = sum((pieces * price for pieces, _sku, price in items), Decimal(0))
    return [
        f"A-{10_001 + number}",
        placed.isoformat(),
        customer,
        _email(random, customer),
        country,
        currency,
        " | ".join(f"{pieces} x {sku} @ {price}" for pieces, sku, price in items),
        str(amount),
        random.choice(BAD_CARDS if number % 17 == 5 else CARDS),
    ]


def _ordinary(sku: str, number: int) -> bool:
    """What is sold out is ordered now and then; what is dear by some."""
    return (sku not in ("VNL-042", "GRD-900") or number % 4 == 1) and (
        Decimal(GOODS[sku]) < 500 or number % 3 == 0
    )


def _pieces(random: Random, sku: str, number: int) -> int:
    if number % 60 == 33:
        return random.randint(20, 45)  # an office is furnished
    return random.choice((1, 1, 1, 2, 3)) if Decimal(GOODS[sku]) < 100 else 1


def _price(sku: str, currency: str) -> Decimal:
    unit = Decimal(1) if currency in WHOLE else Decimal("0.01")
    return (Decimal(GOODS[sku]) * RATES[currency]).quantize(unit, ROUND_HALF_UP)


def _email(random: Random, customer: str) -> str:
    plain = customer.lower().replace("ß", "ss").replace("ø", "oe").replace("æ", "ae").replace("ł", "l")
    letters = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return f"{letters.replace(' ', '.').replace(chr(39), '')}@{random.choice(DOMAINS)}"


def main() -> None:
    """Write the file, with some rows that are none in between."""
    good = rows()
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, row in enumerate(good):
            writer.writerow(row)
            if number % 30 == 12 and number // 30 < len(FAULTS):
                file.write(FAULTS[number // 30] + "\n")
        writer.writerow(good[3])  # a duplicate


if __name__ == "__main__":
    main()
