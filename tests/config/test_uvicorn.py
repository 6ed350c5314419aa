"""Our protocol for uvicorn, on a socket, where a live server would have to be met in the right moment."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, StreamingHttpResponse
from uvicorn import Config, Server
from uvicorn.server import ServerState

from config import bounds
from config.body import bounded_asgi
from config.uvicorn import Protocol, _shut_down

SECONDS = 0.1  # a client has, here
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
LARGE = bytes(3_000_000)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answers = Callable[[Any, Any, Any], Awaitable[None]]


@pytest.fixture(autouse=True)
def _haste(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CLIENT_TIMEOUT = SECONDS
    monkeypatch.setattr(bounds, "GRACE_SECONDS", SECONDS / 4)


@asynccontextmanager
async def _connected(answer: Answers) -> AsyncIterator[tuple[Protocol, asyncio.StreamReader, asyncio.StreamWriter]]:
    loop = asyncio.get_running_loop()
    made: asyncio.Future[Protocol] = loop.create_future()

    def protocol() -> Protocol:
        config = Config(answer, lifespan="off", log_config=None)
        config.load()
        made.set_result(Protocol(config, ServerState(), {}, loop))
        return made.result()

    server = await loop.create_server(protocol, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=2**16)
    yield await made, reader, writer
    writer.close()
    server.close()


def _start(length: int) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % length)]}


async def _answer_at_once(_scope: Any, _receive: Any, send: Any) -> None:
    await send(_start(2))
    await send({"type": "http.response.body", "body": b"ok"})


async def _begin_and_wait(_scope: Any, receive: Any, send: Any) -> None:
    await send(_start(2))
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


async def _much(_scope: Any, _receive: Any, send: Any) -> None:
    await send(_start(len(LARGE)))
    await send({"type": "http.response.body", "body": LARGE})


async def _ok(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send(_start(2))
    await send({"type": "http.response.body", "body": b"ok"})


class _Endless(ASGIHandler):
    """Django, with an answer that does not end by itself."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def get_response_async(self, _request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(self._zeros())

    async def _zeros(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(2**16)
                await asyncio.sleep(0)
        finally:
            self.ended.set()


def test_answer_is_broken_off_where_its_request_stays_away() -> None:
    async def run() -> bytes:
        async with _connected(_begin_and_wait) as (_, reader, writer):
            writer.write(HEAD + b"1")
            received = await reader.readuntil(b"\r\n\r\na")
            return received + await asyncio.wait_for(reader.read(), 20 * SECONDS)

    assert asyncio.run(run()).endswith(b"\r\n\r\na")


@pytest.mark.parametrize(("head", "rest"), [(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b""), (HEAD, b"1")])
def test_answer_is_not_made_on_for_a_client_that_has_left(head: bytes, rest: bytes) -> None:
    async def run() -> None:
        django = _Endless()
        async with _connected(bounded_asgi(django, 0)) as (_, reader, writer):
            writer.write(head)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(rest)  # of a body that is not wanted
            await reader.read(2**16)
            writer.close()
            await asyncio.wait_for(django.ended.wait(), 50 * SECONDS)

    asyncio.run(run())


def test_client_that_takes_some_is_waited_for() -> None:
    async def run() -> int:
        async with _connected(_much) as (_, reader, writer):
            writer.write(HEAD + b"12")
            await reader.readuntil(b"\r\n\r\n")
            taken = 0
            while taken < len(LARGE):
                await asyncio.sleep(SECONDS / 10)
                taken += len(await reader.read(2**16))
            return taken

    assert asyncio.run(run()) == len(LARGE)


def test_request_on_its_way_is_answered_after_the_end_was_asked_for() -> None:
    async def run() -> bytes:
        async with _connected(_ok) as (protocol, reader, writer):
            writer.write(HEAD[:20])
            await asyncio.sleep(SECONDS / 4)
            protocol.shutdown()
            await asyncio.sleep(SECONDS / 2)
            writer.write(HEAD[20:] + b"12")
            return await asyncio.wait_for(reader.read(), 20 * SECONDS)

    answer = asyncio.run(run())
    assert answer.endswith(b"\r\n\r\nok")
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_who_comes_in_at_the_last_moment_is_answered_and_not_waited_for() -> None:
    """Let in in the same turn of the loop in which the server ends."""

    async def end() -> bytes:
        loop = asyncio.get_running_loop()
        config = Config(_answer_at_once, lifespan="off", log_config=None)
        config.load()
        server = Server(config)
        server.lifespan = config.lifespan_class(config)
        door = await loop.create_server(lambda: Protocol(config, server.server_state, {}, loop), "127.0.0.1", 0)
        server.servers = [door]
        with socket.create_connection(door.sockets[0].getsockname()) as client:
            client.settimeout(5)
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await _shut_down(server)
            with client.makefile("rb") as answer:
                return answer.read()

    head = asyncio.run(end()).lower()
    assert head.startswith(b"http/1.1 200 ")
    assert b"connection: close" in head
