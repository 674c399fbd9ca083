"""The model against PostgreSQL: the same seed, the same trace of transactions, the same rows in the end."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import pytest

from orquestrax.core.store.database import Address
from tests.simulation.postgres import PostgresDatabase
from tests.simulation.run import simulate


def twins(dsn: str, seed: int) -> None:
    """Run the seed on both; the first difference is the failure."""
    model = simulate(seed)
    database = PostgresDatabase(Address(dsn=dsn, schema=f"twin{seed}"))
    try:
        real = simulate(seed, database)
        for ours, theirs in zip_longest(model.trace.text(), real.trace.text()):
            assert ours == theirs, f"seed {seed}"
        assert stored(model.database) == stored(database), f"seed {seed}"
        assert real.problems == model.problems == []
    finally:
        database.close()


def stored(database: Any) -> Any:
    """What is there in the end; an empty inbox is none."""
    dump = database.dump()
    inbox = {key: messages for key, messages in dump["inbox"].items() if messages}
    return dump["instances"], dump["events"], inbox, dump["tasks"]


@pytest.mark.parametrize("seed", [5, 12])
def test_the_model_does_what_postgresql_does(dsn: str, seed: int):
    twins(dsn, seed)


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize("chunk", range(4))
def test_the_model_does_what_postgresql_does_for_many_seeds(dsn: str, chunk: int):
    for seed in range(10 + chunk, 50, 4):
        twins(dsn, seed)
