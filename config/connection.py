"""A client's connection whose bytes an event loop gathers and sends, so that no thread ever waits for a client.

A thread is given a request only once it has arrived whole, and leaves what the client does not take of the answer.
"""

import math
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from gunicorn_h1c import H1CProtocol, LimitRequestHeaders, LimitRequestLine  # type: ignore[import-untyped]  # no types

from config import bounds

CHUNKS_BYTES = 1_048_576  # of a body in chunks as it is sent, sizes and extensions included
READ_AHEAD_BYTES = 1024  # that gunicorn reads of a body beyond what it is asked for
READ_BYTES = 65_536
KEPT_BYTES = 65_536  # of an answer that are gathered before they are sent: head and body go in one packet
UNSENT_BYTES = 262_144  # of an answer that wait for the client; with more, what makes the answer waits, too
RESET = struct.pack("ii", 1, 0)  # a value of SO_LINGER: whoever closes so says that something went wrong

Address = tuple[str, str]


class Connection:
    """A connection between events: what has come in, where its request ends, and how long it may go on as it does."""

    def __init__(self, cfg: Any, accepted: socket.socket, client: object, server: object, max_body: int) -> None:  # noqa: ANN401 (gunicorn's)
        self.cfg, self.sock = cfg, accepted
        self.client, self.server = _address(client), _address(server)
        self.sock.settimeout(0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, bounds.SEND_BUFFER_BYTES)
        self.unsent = bytearray()
        self.keep = self.idle = self.gone = False
        self.go_on: Callable[[], bool] | None = None  # with the answer, once the client has taken what there is of it
        self.idle_since = 0.0
        self.untaken = self.discarded = 0
        self.refusal: int | None = None  # the status for what is no request
        self.deadline = math.inf
        self.on_deadline: Callable[[Self], None] = lambda _: None
        self.rest = b""  # of what came in, which belongs to the next request
        self._max_body = max_body
        self.arriving = H1CProtocol(
            on_headers_complete=self._on_head,
            on_body=self._on_body,
            limit_request_line=cfg.limit_request_line,
            limit_request_fields=cfg.limit_request_fields,
            limit_request_field_size=cfg.limit_request_field_size,
            limit_remaining=0,
        )
        self._reset()

    def _reset(self) -> None:
        self._incoming = bytearray()
        self.body: list[bytes] = []
        self.in_head, self._body_bytes, self._length = True, 0, 0
        self._expectation: bytes | None = None

    def _on_head(self) -> None:
        self.in_head = False
        self._length = int(self.arriving.get_header(b"content-length") or 0)  # the parser's own has but 64 bits
        self._expectation = self.arriving.get_header(b"expect")

    def _on_body(self, part: bytes) -> None:
        self.body.append(part)
        self._body_bytes += len(part)

    def expect(self, seconds: float) -> None:
        """Wait for a request so long.

        From here on the loop may find it idle, even while the thread that answered has yet to hand it back. So whoever
        ends an idle connection only hangs up; it is closed by the event that follows.
        """
        self.idle, self.idle_since = True, time.monotonic()
        self.deadline = self.idle_since + seconds

    def limit(self, seconds: float, then: Callable[[Self], None]) -> None:
        """Give the step that follows so long."""
        self.deadline, self.on_deadline = time.monotonic() + seconds, then

    def receive(self) -> bytes:
        """Read what has come in from the client. Raises BlockingIOError when nothing has."""
        return self.sock.recv(READ_BYTES)

    def feed(self, data: bytes) -> bool:
        """Take what came in. True: the request is whole, or can be answered as it is, by a thread after `begin`."""
        self._incoming += data
        try:
            self.arriving.feed(data)
        except ValueError as exc:
            self.refusal = self._status(exc)
        if self.in_head and len(self._incoming) > bounds.HEAD_BYTES:
            self.refusal = 431 if b"\r\n" in self._incoming else 414
        if self._expectation is not None:
            self._answer_expectation(self._expectation.lower())
        return self.arriving.is_complete or self._body_too_large()

    def _status(self, exc: ValueError) -> int:
        """Of an error of the parser, which in far too many headers sees nothing special."""
        if isinstance(exc, LimitRequestLine):
            return 414
        many = self.in_head and self._incoming.count(b"\r\n") > self.cfg.limit_request_fields
        return 431 if many or isinstance(exc, LimitRequestHeaders) else 400

    def _answer_expectation(self, expectation: bytes) -> None:
        """With `100 Continue`, unless nobody will read on."""
        self._expectation = None
        if expectation != b"100-continue":
            self.refusal = self.refusal or 417
        elif self.protocol == "HTTP/1.1" and not self.arriving.is_complete and not self._body_too_large():
            self.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.flush()

    def _body_too_large(self) -> bool:
        if self.in_head:
            return False
        expected = max(self._length, self._body_bytes - READ_AHEAD_BYTES)
        return expected > self._max_body or len(self._incoming) > bounds.HEAD_BYTES + CHUNKS_BYTES + self._max_body

    def begin(self) -> None:
        """Let a thread see this request, and nothing of the next one. One whose end we do not know is the last."""
        whole = self.arriving.is_complete and not self._body_too_large()
        self.rest = self.arriving.remaining() if whole else b""
        self.keep = whole and self.arriving.should_keep_alive

    def request(self) -> bytes:
        """All of it, as it came in."""
        return bytes(self._incoming[: len(self._incoming) - len(self.rest)])

    @property
    def protocol(self) -> str:
        return "HTTP/1.1" if self.arriving.http_version == (1, 1) else "HTTP/1.0"

    @property
    def path(self) -> bytes:
        """Of the request that has begun, without its query."""
        path: bytes = self.arriving.path
        return path.partition(b"?")[0]

    def next(self) -> bytes:
        """After the answer: expect another request, and return what has come in of it already."""
        self.arriving.reset()
        self._reset()
        rest, self.rest = self.rest, b""
        return rest

    def sendall(self, data: bytes) -> None:
        """Send later: with `flush`, at the latest."""
        self.unsent += data
        if len(self.unsent) > KEPT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send as much as the client takes now. What a client that is gone did not take is forgotten."""
        try:
            while self.unsent:
                del self.unsent[: self.sock.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.lose()

    @property
    def behind(self) -> bool:
        """Whether so much waits for the client that there should not be more."""
        return len(self.unsent) > UNSENT_BYTES

    def lose(self) -> None:
        """Send nothing any more: the client is gone, or nobody waits for it any longer."""
        self.gone = True
        self.unsent.clear()

    def break_off(self) -> None:
        """Have the client see that the answer is not whole, where its end would be the end of the connection."""
        with suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.lose()

    def end(self) -> None:
        """Tell the client that no more will come (RFC 9112, section 9.6)."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        """Have the loop read the end of it, as if the client had closed."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it, and let go of the parser, which calls us back and, being C, is not collected in such a ring."""
        self.sock.close()
        del self.arriving


def _address(name: object) -> Address:
    """Host and port; of a socket in the file system, its path."""
    return (str(name[0]), str(name[1])) if isinstance(name, tuple) else (str(name), "")
