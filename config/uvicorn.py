"""What uvicorn leaves open, closed: deadlines for clients, bounds of the head, an end that cuts nobody off.

It has settings for none of it and is started by its own command line, so `config.asgi` installs this.
"""

import asyncio
import logging
import os
import select
import signal
import socket
import sys
from typing import Any, cast

import httptools
from django.conf import settings
from uvicorn._types import ASGI3Application
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server

from config import bounds, unparsed

TURNS = 3  # of the loop, after which whoever was let in is a connection of the server's

_shutdown = Server.shutdown


def install() -> None:
    """Put our protocol and our end in place of uvicorn's."""
    HttpToolsProtocol.__new__ = _new  # type: ignore[method-assign,assignment]
    Server.shutdown = _shut_down  # type: ignore[method-assign]
    logging.getLogger("uvicorn.error").addFilter(_says_more_than_our_line)
    ProxyHeadersMiddleware.__call__ = _keep_peer  # type: ignore[method-assign]


def _says_more_than_our_line(record: logging.LogRecord) -> bool:
    """What uvicorn's parser refuses has its line from `unparsed.refusal`, with the request's id."""
    return record.msg != "Invalid HTTP request received."


async def _keep_peer(self: ProxyHeadersMiddleware, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI's)
    """By default uvicorn lets whoever connects from this machine say what address it has: config.address decides."""
    await self.app(scope, receive, send)


def _new(_cls: type[HttpToolsProtocol], *_args: object, **_kwargs: object) -> "Protocol":
    return object.__new__(Protocol)


async def _shut_down(self: Server, sockets: list[socket.socket] | None = None) -> None:
    """Let in who stands at the door, close it really, see everybody through, and end with status 0."""
    listeners = [listener for server in self.servers for listener in server.sockets]
    while select.select(listeners, [], [], 0)[0]:  # noqa: ASYNC110 (a turn of the loop lets them in)
        await asyncio.sleep(0)
    for listener in listeners:
        asyncio.get_running_loop().remove_reader(listener)
    for _ in range(TURNS):  # closed before, the listener would take whoever was just let in along
        await asyncio.sleep(0)
    if self.config.fd is not None and sockets is None:  # in a process of several, the number stands for another file
        os.close(self.config.fd)  # uvicorn listens on a copy, and closes only that
    await _shutdown(self, sockets)
    self._captured_signals = [number for number in self._captured_signals if number != signal.SIGTERM]


class Protocol(HttpToolsProtocol):
    """A connection that has a deadline for whatever depends on the client."""

    _arrival: asyncio.TimerHandle | None = None  # by then a request has to be there whole
    _delivery: asyncio.TimerHandle | None = None  # by then the client has to have taken what it was sent
    _in_head = True
    _head_bytes = 0
    _parsing = _unparsed = b""
    _ending = False
    _refused = 400
    _untaken = 0
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, bounds.SEND_BUFFER_BYTES)
        self.timeout_keep_alive_task = self.loop.call_later(settings.CLIENT_TIMEOUT, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel("_arrival")
        self._cancel("_delivery")
        super().connection_lost(exc)

    # A request arrives

    def data_received(self, data: bytes) -> None:
        self._expect_rest()
        self._unparsed = data
        while self._unparsed and not self.transport.is_closing():
            self._parsing, self._unparsed = self._unparsed, b""
            self._parse(self._parsing)

    def _parse(self, data: bytes) -> None:
        self._head_bytes += len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._head_bytes > bounds.HEAD_BYTES:
            self._refuse(431 if self.headers else 414)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_rest()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._bound(len(self.url) <= bounds.REQUEST_LINE_BYTES, 414)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._bound(len(self.headers) <= bounds.FIELDS and len(name) + len(value) <= bounds.FIELD_BYTES, 431)

    def _bound(self, fulfilled: bool, status: int) -> None:  # noqa: FBT001 (what is asserted)
        if not fulfilled:
            self._refused = status
            raise ValueError  # to stop the parser: `send_400_response` comes next

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.parser.should_upgrade() and self._should_upgrade():
            return
        self.headers = []  # for trailers, which would land among the headers of the request, Authorization for one
        self._in_head, self._head_bytes = False, 0
        if self._ending:
            self.cycle.keep_alive = False

    def _should_upgrade(self) -> bool:
        """Take up again, with `handle_websocket_upgrade`, where the parser stopped. For CONNECT there is no way."""
        return self.parser.get_method() != b"CONNECT"

    def handle_websocket_upgrade(self) -> None:
        """Ignore the wish to speak another protocol, as a server may (RFC 9110, section 7.8).

        The parser takes what follows for that protocol. So it is replaced, and given the same head without the wish.
        """
        end_of_head = cast("httptools.HttpParserUpgrade", sys.exception()).args[0]
        fields = [b"%s: %s" % field for field in self.scope["headers"] if field[0] != b"upgrade"]
        line = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._head_bytes = 0
        self._unparsed = b"\r\n".join([line, *fields, b"", self._parsing[end_of_head:]])

    def on_message_complete(self) -> None:
        self._cancel("_arrival")
        self._in_head = True
        super().on_message_complete()

    def _expect_rest(self) -> None:
        if self._arrival is None:
            self._arrival = self.loop.call_later(settings.CLIENT_TIMEOUT, self._too_late)

    def _too_late(self) -> None:
        self._arrival = None
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.pipeline or (self._in_head and answering):
            self._expect_rest()  # the answer to an earlier request comes first
        elif answering and self.cycle.response_started:
            self._drop()
        else:
            self._refuse(408)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's)
        self._refuse(self._refused)

    def _refuse(self, status: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(unparsed.refusal(status))
            self.transport.close()

    # An answer leaves

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_taking()

    def _expect_taking(self) -> None:
        self._cancel("_delivery")
        self._untaken = self.transport.get_write_buffer_size()
        seconds = bounds.STALLED_TIMEOUTS * settings.CLIENT_TIMEOUT
        self._delivery = self.loop.call_later(seconds, self._look_what_was_taken)

    def _look_what_was_taken(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= self._untaken:
            self._drop()
        elif left:  # pragma: no branch (the rest may have gone in that very moment)
            self._expect_taking()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _drop(self) -> None:
        if self._answering is not None:  # pragma: no branch (what waits to be taken is an answer)
            self._answering.disconnected = True  # uvicorn will know a moment later, and write until then
        self.transport.abort()

    def resume_writing(self) -> None:
        self._cancel("_delivery")
        super().resume_writing()

    def _cancel(self, timer: str) -> None:
        running: asyncio.TimerHandle | None = getattr(self, timer)
        if running is not None:
            running.cancel()
            setattr(self, timer, None)

    # The end

    def shutdown(self) -> None:
        """Close after the answer that is due, or after a moment for a request that may be on its way."""
        self._ending = True
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False
        else:
            self._close_soon()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._expect_taking()
        if self._ending:
            self._close_soon()

    def _close_soon(self) -> None:
        self.loop.call_later(bounds.GRACE_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._arrival is None and not answering and not self.transport.is_closing():
            self.transport.close()
