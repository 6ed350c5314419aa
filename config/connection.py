"""A client's connection whose bytes an event loop gathers and sends, so that no thread ever waits for a client.

gunicorn's threads are given a request only once it has arrived whole, and leave their answer in a buffer.
"""

import math
import socket
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]  # it has no types
from gunicorn_h1c import H1CProtocol, LimitRequestHeaders, LimitRequestLine  # type: ignore[import-untyped]

from config import bounds

CHUNKS_BYTES = 1_048_576  # of a body in chunks as it is sent, sizes and extensions included
READ_AHEAD_BYTES = 1024  # that gunicorn reads of a body beyond what it is asked for
READ_BYTES = 65_536
KEPT_BYTES = 65_536  # of an answer that are gathered before they are sent: head and body go in one packet


class Socket(socket.socket):
    """Never blocks, whatever gunicorn sets: a parser reads the one request it is given, an answer is buffered."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        super().settimeout(0)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, bounds.SEND_BUFFER_BYTES)
        self.request = BytesIO()
        self.unsent = bytearray()

    def setblocking(self, _flag: bool) -> None:  # noqa: FBT001 (socket's)
        """Stay as it is."""

    settimeout = setblocking  # type: ignore[assignment]

    def recv(self, size: int, _flags: int = 0) -> bytes:
        """Read on in the request, to its end."""
        return self.request.read(size)

    def receive(self) -> bytes:
        """Read what has come in from the client. Raises BlockingIOError when nothing has."""
        return super().recv(READ_BYTES)

    def send(self, data: Any, _flags: int = 0) -> int:  # noqa: ANN401 (bytes of any kind)
        self.sendall(data)
        return len(data)

    def sendall(self, data: Any, _flags: int = 0) -> None:  # noqa: ANN401 (bytes of any kind)
        """Send later: with `flush`, at the latest."""
        self.unsent += data
        if len(self.unsent) > KEPT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send as much as the client takes now. What a client that is gone did not take is forgotten."""
        try:
            while self.unsent:
                del self.unsent[: super().send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent.clear()


class Connection(TConn):  # type: ignore[misc]  # untyped
    """A connection between events: what has come in, where its request ends, and how long it may go on as it does."""

    sock: Socket

    def __init__(self, cfg: Any, accepted: socket.socket, client: object, server: object, max_body: int) -> None:  # noqa: ANN401 (gunicorn's)
        super().__init__(cfg, Socket(accepted), client, server)
        self.data_ready = True  # a thread that gets it need not wait
        self.keep = self.idle = False
        self.idle_since = 0.0
        self.untaken = self.discarded = 0
        self.refusal: int | None = None  # the status for what is no request
        self.deadline = math.inf
        self.on_deadline: Callable[[Connection], None] = lambda _: None
        self._incoming = bytearray()
        self._rest = b""
        self._max_body = max_body
        self._arriving = H1CProtocol(
            on_headers_complete=self._on_head,
            on_body=self._on_body,
            limit_request_line=cfg.limit_request_line,
            limit_request_fields=cfg.limit_request_fields,
            limit_request_field_size=cfg.limit_request_field_size,
            limit_remaining=0,
        )
        self._expect()

    def _expect(self) -> None:
        self._in_head, self._body_bytes, self._continued = True, 0, False

    def _on_head(self) -> None:
        self._in_head = False

    def _on_body(self, part: bytes) -> None:
        self._body_bytes += len(part)

    def feed(self, data: bytes) -> bool:
        """Take what came in. True: the request is whole, or can be answered as it is, by a thread after `begin`."""
        self._incoming += data
        try:
            self._arriving.feed(data)
        except ValueError as exc:
            self.refusal = self._status(exc)
        if self._in_head and len(self._incoming) > bounds.HEAD_BYTES:
            self.refusal = 431 if b"\r\n" in self._incoming else 414
        if not self._in_head and not self._continued and self._arriving.get_header(b"expect"):
            self._continue()
        return self._arriving.is_complete or self._body_too_large()

    def _status(self, exc: ValueError) -> int:
        """Of an error of the parser, which in far too many headers sees nothing special."""
        if isinstance(exc, LimitRequestLine):
            return 414
        many = self._in_head and self._incoming.count(b"\r\n") > self.cfg.limit_request_fields
        return 431 if many or isinstance(exc, LimitRequestHeaders) else 400

    def _continue(self) -> None:
        """Answer `Expect: 100-continue`, unless nobody will read on."""
        self._continued = True
        if not self._arriving.is_complete and not self._body_too_large():
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.sock.flush()

    def _body_too_large(self) -> bool:
        if self._in_head:
            return False
        expected = max(self._arriving.content_length or 0, self._body_bytes - READ_AHEAD_BYTES)
        return expected > self._max_body or len(self._incoming) > bounds.HEAD_BYTES + CHUNKS_BYTES + self._max_body

    def begin(self) -> None:
        """Let the parser of a thread see this request, and nothing of the next one."""
        self._rest = self._arriving.remaining() if self._arriving.is_complete else b""
        self.sock.request = BytesIO(self._incoming[: len(self._incoming) - len(self._rest)])
        self._incoming = bytearray()

    @property
    def path(self) -> bytes:
        """Of the request that has begun, without its query."""
        path: bytes = self._arriving.path or b""
        return path.partition(b"?")[0]

    def next(self) -> bytes:
        """After the answer: expect another request, and return what has come in of it already."""
        self._arriving.reset()
        self._expect()
        rest, self._rest = self._rest, b""
        return rest

    def end(self) -> None:
        """Tell the client that no more will come (RFC 9112, section 9.6)."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self, *_: object) -> None:
        """Close it, and let go of the parser, which calls us back and, being C, is not collected in such a ring."""
        self.sock.close()
        del self._arriving
