"""Streams over the wire: deflated once for all, readable frame by frame, refused where a browser does not take it."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from orquestrax.web.live.encodings import Gzip, Plain
from orquestrax.web.live.frames import Frame, Operation, frame
from orquestrax.web.places import takes_gzip

payloads = st.lists(
    st.binary(max_size=2_000) | st.sampled_from([b"", b"event: beat\ndata: 1\n\n", b"x" * 70_000])
)


@given(payloads)
def test_each_frame_can_be_read_as_it_comes(texts: list[bytes]) -> None:
    stream, reader = Gzip(), zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    assert reader.decompress(stream.head) == b""
    for text in texts:
        assert reader.decompress(stream.add(Frame(text))) == text
    assert reader.decompress(stream.end()) == b""
    assert reader.eof


@given(payloads, st.integers(0, 3))
def test_pages_that_came_at_different_times_share_what_is_packed(texts: list[bytes], late: int) -> None:
    frames = [Frame(text) for text in texts]
    for first in (0, late):
        stream = Gzip()
        whole = stream.head + b"".join(stream.add(one) for one in frames[first:]) + stream.end()
        assert gzip.decompress(whole) == b"".join(texts[first:])
    assert all(one.deflated is one.deflated for one in frames)


def test_plain_is_plain() -> None:
    assert (Plain.head, Plain().add(Frame(b"a")), Plain().end(), Plain.headers) == (b"", b"a", b"", {})


def test_a_frame_of_rows_shrinks_to_a_third() -> None:
    row = (
        '<tr id="i-{0}"><td class="c-status"><span class="pill running">running</span></td><td>{0}</td></tr>'
    )
    rows = frame(1_000, [Operation("rows", "rows", "".join(row.format(n) for n in range(20)))])
    assert len(rows.deflated) * 3 < len(rows.plain)


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("gzip, deflate, br", True),
        ("GZIP", True),
        ("br;q=1.0, gzip;q=0.5", True),
        ("gzip;q=1.0", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000", False),
        ("x-gzip-like", False),
        ("identity", False),
        ("", False),
    ],
)
def test_only_where_it_is_taken(sent: str, taken: bool) -> None:
    headers = [(b"accept-encoding", sent.encode())] if sent else []
    assert takes_gzip(Request({"type": "http", "headers": headers})) is taken
