"""One bounded HTTP GET: no redirects, no proxies, a limit on bytes, and on time whatever the other side does."""

import http.client
import re
import socket
import ssl
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

DEADLINE: Final = 3.0
"""Seconds from the first byte of the request to the last one of the response, all together."""

MAX_BYTES: Final = 512 * 1024

_HEADERS: Final = {
    "User-Agent": "tasks-api-authjwt",  # some firewalls refuse the default ones of HTTP libraries
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_RETRY_HEADERS: Final = ("Retry-After", "X-Retry-After")  # the second is what Better Auth's rate limiter sends


class FetchFailed(Exception):
    """There is no usable response; the message says why, without the body."""

    def __init__(self, why: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.retry_after = retry_after
        """Seconds the server asked to be left alone, unchecked; None if it did not."""


@dataclass(frozen=True, slots=True)
class Document:
    """A response with status 200."""

    body: bytes
    seconds: float
    age: int
    """Seconds it had been in some cache on the way (RFC 9111, section 5.1)."""

    clock: float | None
    """When the server says it made the response (`Date`), in seconds since 1970, to the second; None if it does not."""


def fetch(url: str, *, deadline: float = DEADLINE) -> Document:
    """Get a URL. Raises FetchFailed for everything but a complete response with status 200 in time."""
    started_at = time.monotonic()
    try:
        with closing(_connection(url, deadline)) as connection:
            watchdog = threading.Timer(deadline, connection.abort)
            watchdog.daemon = True
            watchdog.start()
            try:
                body, headers = _get(connection, url)
            finally:
                watchdog.cancel()
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise FetchFailed(
            "no answer in time" if time.monotonic() - started_at >= deadline else f"{type(exc).__name__}: {exc}"
        ) from exc
    seconds = time.monotonic() - started_at
    if seconds >= deadline:  # the watchdog may have cut the body short
        raise FetchFailed("no answer in time")
    return Document(body, seconds, _whole_seconds(headers.get("Age", "")) or 0, _moment(headers.get("Date", "")))


class _Connection(http.client.HTTPConnection):
    """A connection that another thread can abort at any point after the TCP connect.

    Timeouts of sockets are per operation: a server that sends a byte a second never meets one.
    """

    def __init__(self, host: str, port: int | None, timeout: float, tls: ssl.SSLContext | None) -> None:
        self.default_port = http.client.HTTPS_PORT if tls else http.client.HTTP_PORT
        super().__init__(host, port, timeout=timeout)
        self._tls = tls
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        super().connect()
        self._socket = self.sock  # kept, because http.client forgets its socket while the body is still to come
        if self._tls is not None:
            wrapped = self._tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = self._socket = wrapped
            wrapped.do_handshake()

    def abort(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _connection(url: str, deadline: float) -> _Connection:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an HTTP URL")
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    return _Connection(parts.hostname, parts.port, deadline, tls)


def _get(connection: _Connection, url: str) -> tuple[bytes, Message]:
    connection.request("GET", urlsplit(url)._replace(scheme="", netloc="").geturl(), headers=_HEADERS)
    response = connection.getresponse()
    if response.status != HTTPStatus.OK:
        raise FetchFailed(
            f"HTTP status {response.status}", status=response.status, retry_after=_retry_after(response.headers)
        )
    body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise FetchFailed(f"more than {MAX_BYTES} bytes", status=response.status)
    if response.length:  # http.client reports a short body only when asked for all of it
        raise http.client.IncompleteRead(body, response.length)
    return body, response.headers


def _retry_after(headers: Message) -> float | None:
    value = next((headers[name] for name in _RETRY_HEADERS if name in headers), "")
    seconds = _whole_seconds(value)
    if seconds is not None:
        return seconds
    moment = _moment(value)
    return None if moment is None else moment - time.time()


def _moment(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def _whole_seconds(value: str) -> int | None:
    """Read delay-seconds (RFC 9110, section 10.2.3). Ten digits are three centuries: nobody means that."""
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else None
