"""A JWKS endpoint on this machine that can behave as badly as real ones do."""

import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self

Behaviour = Callable[[socket.socket, bytes], None]
"""Answers one request on a connection, given the document it would get."""


class JWKSServer(socketserver.ThreadingTCPServer):
    """Serves `document`; `behave` decides how. Counts what it is asked."""

    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.document = document
        self.behave: Behaviour = respond()
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the JWK Set."""
        return f"http://127.0.0.1:{self.server_address[1]}/api/auth/jwks"

    @property
    def hits(self) -> int:
        """Number of requests so far."""
        return len(self.requests)

    def publish(self, *keys: Any) -> None:
        """Replace the keys."""
        self.document = {"keys": list(keys)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_args: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: clients hang up here on purpose."""


class _Handler(socketserver.BaseRequestHandler):
    server: JWKSServer

    def handle(self) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            received = self.request.recv(4096)
            if not received:
                return
            request += received
        self.server.requests.append(request.decode("latin-1"))
        with suppress(OSError):
            self.server.behave(self.request, json.dumps(self.server.document).encode())


@contextmanager
def behaving(server: JWKSServer, behaviour: Behaviour) -> Iterator[None]:
    """Behave otherwise for a while."""
    usual, server.behave = server.behave, behaviour
    try:
        yield
    finally:
        server.behave = usual


def _response(status: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def respond(status: str = "200 OK", body: bytes | None = None, **headers: str) -> Behaviour:
    """Answer with a status, headers (`_` for `-`) and a body, by default the document."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def behave(connection: socket.socket, document: bytes) -> None:
        connection.sendall(_response(status, document if body is None else body, named))

    return behave


def stall(seconds: float) -> Behaviour:
    """Answer well, but late."""

    def behave(connection: socket.socket, document: bytes) -> None:
        time.sleep(seconds)
        respond()(connection, document)

    return behave


def drip(seconds: float, *, whole: bool = False, length: bool = True) -> Behaviour:
    """Answer the body, or the whole response, a byte at a time, so that no single read ever times out."""

    def behave(connection: socket.socket, document: bytes) -> None:
        response = _response("200 OK", document, {}) if length else b"HTTP/1.1 200 OK\r\n\r\n" + document
        start = 0 if whole else response.index(b"\r\n\r\n") + 4
        connection.sendall(response[:start])
        for byte in response[start:]:
            connection.sendall(bytes([byte]))
            time.sleep(seconds)

    return behave


def reset(connection: socket.socket, _document: bytes) -> None:
    """Reset the connection instead of answering."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up(_connection: socket.socket, _document: bytes) -> None:
    """Close the connection instead of answering."""


def cut_short(connection: socket.socket, document: bytes) -> None:
    """Promise more than is sent."""
    connection.sendall(_response("200 OK", document, {"Content-Length": str(len(document) + 100)}))


def endless(connection: socket.socket, _document: bytes) -> None:
    """Never stop sending."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


def chunked(connection: socket.socket, document: bytes) -> None:
    """Answer well in chunks."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(document), document))


def no_http(connection: socket.socket, _document: bytes) -> None:
    """Answer in another protocol."""
    connection.sendall(b"220 mail.example.com ESMTP\r\n")
