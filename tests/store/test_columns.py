"""Columns as texts: PostgreSQL reads from them what was in the list."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orquestrax.base.errors import InvalidId
from orquestrax.base.ids import check_id, uuid7
from orquestrax.core.store.columns import array, array_or_null, documents
from tests.store.support import Rig

ONE_SCHEMA = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fits(text: str) -> bool:
    try:
        return check_id(text) == text
    except InvalidId:
        return False


IDS = st.text(max_size=20).filter(fits)
TRICKY = ["NULL", "null", "a,b", "{}", '"', "\\", '\\"', "\\n", "\\u0041", " x ", "ß😀\u2028", "'"]


async def test_ids_and_names_come_as_they_are(rig: Rig):
    assert await rig.value("select $1::text::text[]", array([*TRICKY, "", None])) == [*TRICKY, "", None]

    @ONE_SCHEMA
    @given(st.lists(IDS, max_size=5))
    def every_list(texts: list[str]) -> None:
        assert json.loads(f"[{array(texts)[1:-1]}]") == texts
        batches.append(texts)

    batches: list[list[str]] = []
    every_list()
    for texts in batches:
        assert await rig.value("select $1::text::text[]", array(texts)) == texts


async def test_keys_numbers_booleans_and_nulls_come_as_they_are(rig: Rig):
    keys = [uuid7(), uuid7()]
    assert await rig.value("select $1::text::uuid[]", array(keys)) == keys
    numbers = [0, -1, 2**63 - 1, None]
    assert await rig.value("select $1::text::bigint[]", array(numbers)) == numbers
    assert await rig.value("select $1::text::boolean[]", array([True, False, None])) == [True, False, None]
    assert await rig.value("select $1::text::text[]", array([])) == []
    assert array_or_null([None, None]) is None
    assert array_or_null([None, 1]) == "{null,1}"


async def test_documents_come_as_they_are(rig: Rig):
    """Also those that hold the separator, which JSON escapes, and white space."""
    sent = [json.dumps("\x1e").encode(), None, b'{ "a" :\n\t"\xc3\xa9" }', b"null", None]
    split = "select string_to_array($1, chr(30), '')::json[]::text[]"
    received = await rig.value(split, documents(sent))
    assert received == [None if each is None else each.decode() for each in sent]


async def test_times_in_events_are_exact(rig: Rig):
    """Up to a timer of a hundred years, a product of a float and an interval is exact."""
    text = (
        "select timestamptz 'epoch' + at * interval '1 microsecond' from unnest($1::text::bigint[]) as t (at)"
    )
    times = [0, 1, 1_763_800_000_123_457, 4_102_444_799_999_999, 4_955_000_000_000_001]
    assert [row[0] for row in await rig.rows(text, array(times))] == times
