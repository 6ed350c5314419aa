"""A request as WSGI (PEP 3333) puts it to an application, and the application's answer as HTTP puts it to a client.

gunicorn's own, which serves every protocol and setting that it knows, costs several times as much.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from email.utils import formatdate
from functools import lru_cache, partial
from io import BytesIO
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

from gunicorn.http import RequestParser  # type: ignore[import-untyped]  # it has no types
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.util import split_request_uri  # type: ignore[import-untyped]

from config import unparsed
from config.connection import Connection
from config.logging import Logger

log = Logger("tasks_api.exchange")

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

EVERY: Environ = {
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",  # nobody is believed: config.address decides
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
    "SERVER_SOFTWARE": "gunicorn",
    "SCRIPT_NAME": "",
}
OURS = frozenset({"connection", "date", "keep-alive", "server", "te", "trailer", "transfer-encoding", "upgrade"})


def environ(connection: Connection) -> Environ:
    """Of the request that has arrived. Raises gunicorn's errors for a coding of the body that is none."""
    request = connection.arriving
    path, query = _target(request.path)
    answered: Environ = EVERY | {
        "REQUEST_METHOD": request.method.decode("ascii"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": connection.protocol,
        "SERVER_NAME": connection.server[0],
        "SERVER_PORT": connection.server[1],
        "REMOTE_ADDR": connection.client[0],
        "REMOTE_PORT": connection.client[1],
    }
    for name, sent in request.headers:
        if b"_" in name:  # X_Real_IP would be taken for X-Real-IP
            continue
        key, value = _key(name), sent.decode("latin-1")
        answered[key] = f"{answered[key]}, {value}" if key in answered else value
    answered["wsgi.input"] = _body(connection, answered)
    return answered


def _target(target: bytes) -> tuple[bytes, bytes]:
    """Path and query."""
    if target.startswith(b"/") and b"#" not in target:
        path, _, query = target.partition(b"?")
        return path, query
    parts = split_request_uri(target.decode("latin-1"))
    return parts.path.encode("latin-1"), parts.query.encode("latin-1")


@lru_cache(maxsize=64)  # names may have 64 KiB
def _key(name: bytes) -> str:
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def _body(connection: Connection, answered: Environ) -> BinaryIO:
    """Of a body in chunks, gunicorn's parser has to say the same as ours: it alone refuses sizes beyond 64 bits."""
    if "HTTP_TRANSFER_ENCODING" not in answered:
        return BytesIO(b"".join(connection.body))
    request = connection.request()
    _refuse_line_feeds(request)
    body: BinaryIO = next(RequestParser(connection.cfg, [request], connection.client)).body
    return body


def _refuse_line_feeds(request: bytes) -> None:
    """In the extension of a chunk: a proxy that ends the line there passes on other requests than we would see."""
    at, size = request.index(b"\r\n\r\n") + 4, 1
    while size and (end := request.find(b"\r\n", at)) > 0:
        if b"\n" in request[at:end]:
            raise ParseException("a line feed in the extension of a chunk")
        size = int(request[at:end].partition(b";")[0], 16)
        at = end + size + 4


class Answer:
    """What an application answers, into the buffer of a connection. One of many parts waits for a slow client."""

    def __init__(self, connection: Connection, *, keep: bool) -> None:
        self.keep = keep  # the connection, for another request
        self.begun = False
        self.waiting = False  # for the client, with more
        self._connection = connection
        self._bodiless = connection.arriving.method == b"HEAD"
        self._chunked = False
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._left: int | None = None  # bytes of the body, if its length is known
        self._body: Iterable[bytes] = ()
        self._parts: Iterator[bytes] = iter(())

    def begin(self, application: Application) -> None:
        """Have the application answer the request that has arrived."""
        self._body = application(environ(self._connection), self.start_response)
        self._parts = iter(self._body)
        self.go_on()

    def go_on(self) -> None:
        """Give the parts, until there are no more or the client has too much to take."""
        self.waiting = False
        try:
            self.waiting = self._give()
        finally:
            if not self.waiting and hasattr(self._body, "close"):
                self._body.close()

    def _give(self) -> bool:
        while not self._connection.gone:
            if self._connection.behind and self._left != 0:
                return True
            part = next(self._parts, None)
            if part is None:
                self.end()
                return False
            self.write(part)
        self.keep = False
        return False

    @property
    def open_ended(self) -> bool:
        """Whether only the end of the connection says where the body ends."""
        return self.begun and self._left is None and not (self._chunked or self._bodiless)

    def force_close(self) -> None:
        """Say so to the client, too."""
        self.keep = False

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,  # noqa: ANN401 (WSGI's)
        /,
    ) -> Callable[[bytes], None]:
        """Take status and headers, which may still change until the body begins."""
        if exc_info and self.begun:
            raise exc_info[1]
        if self._status and not exc_info:
            raise AssertionError("the answer has begun")
        self._status, self._headers = status, headers
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body, after the head."""
        if not self.begun:
            self._begin()
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        if not data or self._bodiless:
            return
        self._connection.sendall(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self) -> None:
        """No more will come."""
        if not self.begun:
            self._begin()
        if self._chunked:
            self._connection.sendall(b"0\r\n\r\n")
        if self._left and not self._bodiless:
            self.keep = False  # or the client would wait for the rest

    def _begin(self) -> None:
        code = int(self._status[:3])
        self._bodiless = self._bodiless or code in {204, 304}
        lines = self._theirs(code)
        if self._left is None and not self._bodiless:
            self._chunked = self._connection.protocol == "HTTP/1.1"
            self.keep = self.keep and self._chunked
        if self._chunked:
            lines.append("Transfer-Encoding: chunked")
        ours = (
            f"{self._connection.protocol} {self._status}",
            "Server: gunicorn",
            f"Date: {_date(int(time.time()))}",
            f"Connection: {'keep-alive' if self.keep else 'close'}",
        )
        head = "\r\n".join([*ours, *lines, "\r\n"]).encode("latin-1")
        if len(head.splitlines()) != len(ours) + len(lines) + 1:
            raise ValueError("a line break in a header")
        self.begun = True
        self._connection.sendall(head)

    def _theirs(self, code: int) -> list[str]:
        """The headers that the application may set."""
        lines = []
        for name, value in self._headers:
            lower = name.lower()
            if lower == "content-length":
                self._left = int(value)
            if lower not in OURS and (lower != "content-length" or code != 204):  # noqa: PLR2004 (RFC 9110, 8.6)
                lines.append(f"{name}: {value}")
        return lines


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def answer(application: Application, connection: Connection, *, keep: bool) -> bool:
    """Have an application answer the request that has arrived. Returns whether the connection may have another one.

    If there is a `connection.go_on` then, this was not all: it returns the same, and is to be called, by any thread,
    once the client has taken what there is.
    """
    given = Answer(connection, keep=keep)
    return _attempt(partial(given.begin, application), given, connection)


def _attempt(step: Callable[[], None], given: Answer, connection: Connection) -> bool:
    try:
        step()
    except Exception as exc:  # whatever it is, this client gets an answer, and others are not concerned
        if not isinstance(exc, ParseException):
            log.error("answer_failed", exc_info=exc)  # noqa: TRY400 (ours has no other)
        if not given.begun:
            connection.sendall(unparsed.refusal(400 if isinstance(exc, ParseException) else 500))
        elif given.open_ended:
            connection.break_off()
        return False
    if given.waiting:  # its lines in the log are those of its request, whichever thread it is
        connection.go_on = partial(copy_context().run, _attempt, given.go_on, given, connection)
    return given.keep
