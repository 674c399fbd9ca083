"""The app behind a real server, over real sockets; and where it may listen."""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import pytest

from orquestrax.base.errors import SettingsError
from orquestrax.settings import Settings
from orquestrax.web.listening import bind, is_loopback, require_token
from orquestrax.web.server import WebServer
from tests.engine.conftest import Bench
from tests.web.conftest import Web, make_web

START = "/api/v1/instances"
JSON = "content-type: application/json"


@pytest.fixture
async def served(bench: Bench) -> AsyncIterator[tuple[Web, WebServer]]:
    async with AsyncExitStack() as stack:
        web = await make_web(bench, stack, None)
        server = WebServer(web.app, Settings(), listening=bind("127.0.0.1", 0))
        await server.start()
        stack.push_async_callback(server.stop)
        yield web, server


async def raw(server: WebServer, request: str) -> str:
    """What a server answers to bytes, whoever wrote them; it may hang up before all are sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request.encode())
    async with asyncio.timeout(20):
        answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer.decode()


async def test_it_answers_at_its_address(served: tuple[Web, WebServer]) -> None:
    _, server = served
    async with httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.get("/health/ready")).json()["status"] == "ready"
        assert (await http.post(START, json={"definition": "one", "input": 1})).status_code == 201


async def test_a_large_body_is_refused_by_its_length_alone(served: tuple[Web, WebServer]) -> None:
    web, server = served
    head = f"POST {START} HTTP/1.1\r\nhost: localhost\r\n{JSON}\r\ncontent-length: 3000000\r\n\r\n"
    assert "HTTP/1.1 413" in await raw(server, head)
    assert await web.rows() == 0


async def test_a_large_body_in_chunks_is_refused_before_its_end(served: tuple[Web, WebServer]) -> None:
    web, server = served
    head = f"POST {START} HTTP/1.1\r\nhost: localhost\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = f"{100_000:x}\r\n{'x' * 100_000}\r\n"
    assert "HTTP/1.1 413" in await raw(server, head + chunk * 11)
    assert await web.rows() == 0


async def test_a_request_without_a_host_is_refused(served: tuple[Web, WebServer]) -> None:
    _, server = served
    assert "HTTP/1.1 421" in await raw(server, "GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_a_stream_opens_and_ends_with_the_server(served: tuple[Web, WebServer], accepted: str) -> None:
    _, server = served
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=10, headers={"accept-encoding": accepted}) as http,
        http.stream("GET", "/live?view=nodes") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers.get("content-encoding", "identity") == accepted
        assert stream.headers["vary"] == "accept-encoding"
        unpacked = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        text = b""
        async for chunk in stream.aiter_raw():
            text += unpacked.decompress(chunk) if accepted == "gzip" else chunk
            if b"event: frame\ndata: " in text:
                await server.stop()
    assert text.startswith(b"retry: 500\n\n")
    assert text.endswith(b"\n\n")
    assert unpacked.eof is (accepted == "gzip")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_loopback_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    require_token(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "flows.example", "127.0.0.1.example", ""])
@pytest.mark.parametrize("token", [None, "x" * 31])
def test_any_other_host_does(host: str, token: str | None) -> None:
    with pytest.raises(SettingsError) as refused:
        require_token(Settings(host=host, token=token))
    assert str(refused.value) == (
        f"host {host} can be reached from other machines: set ORQUESTRAX_TOKEN to 32 characters or more, "
        "or leave --host out"
    )
    require_token(Settings(host=host, token="x" * 32))


async def test_a_server_without_a_token_does_not_even_bind(web: Web) -> None:
    with bind("127.0.0.1", 0) as found:
        port: int = found.getsockname()[1]
    server = WebServer(web.app, replace(Settings(), host="0.0.0.0", port=port))
    with pytest.raises(SettingsError, match="set ORQUESTRAX_TOKEN"):
        await server.start()
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))


def test_a_taken_port_is_one_sentence() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError) as refused:
            bind("127.0.0.1", port)
    assert str(refused.value) == (
        f"port {port} is taken: something else listens there; use --port {port + 1} or PORT={port + 1}"
    )


def test_a_host_that_is_not_here_is_one_sentence() -> None:
    with pytest.raises(
        SettingsError, match=r"the dashboard cannot listen at 192\.0\.2\.1:0: .*; use --host or --port"
    ):
        bind("192.0.2.1", 0)
