"""Requests as an application sees them, and its answers as a client does."""

import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]  # it has no types

from config import correlation, exchange
from config.body import bounded_wsgi
from config.connection import RESET, Connection

Answered = tuple[str, dict[str, str], bytes]
Headers = list[tuple[str, str]]
_Slow = tuple[Connection, socket.socket]


def _request(line: str = "GET / HTTP/1.1", *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([line, "Host: localhost", *headers, "", ""]).encode("latin-1") + body


def _exchange(application: exchange.Application, sent: bytes) -> tuple[bytes, bool]:
    """The bytes that the client gets, and whether it may send another request."""
    ours, theirs = socket.socketpair()
    with closing(theirs):
        connection = Connection(Config(), ours, ("192.0.2.1", 4000), ("192.0.2.2", 80), 1000)
        assert connection.feed(sent)
        connection.begin()
        keep = exchange.answer(application, connection, keep=connection.keep)
        connection.flush()
        connection.close()
        with theirs.makefile("rb") as reader:
            return reader.read(), keep


def _app(status: str, headers: Headers, *parts: bytes) -> exchange.Application:
    def application(_environ: exchange.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, headers)
        return parts

    return application


def _environ(sent: bytes) -> exchange.Environ:
    seen: list[exchange.Environ] = []

    def application(environ: exchange.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ | {"body": environ["wsgi.input"].read()})
        start_response("204 No Content", [])
        return ()

    _exchange(application, sent)
    return seen[0]


def test_target_is_path_and_query() -> None:
    seen = _environ(_request("GET //a%20b/%C3%A9?x=%20&y HTTP/1.1"))
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("//a b/Ã©", "x=%20&y")


def test_whole_url_is_a_target_too() -> None:
    seen = _environ(_request("GET http://localhost/tasks?x#y HTTP/1.1"))
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/tasks", "x")


def test_headers_are_joined_and_those_with_an_underscore_are_dropped() -> None:
    seen = _environ(_request("GET / HTTP/1.1", "X-A: 1", "x-a: 2", "X_A: 3", "Content-Type: text/plain"))
    assert seen["HTTP_X_A"] == "1, 2"
    assert seen["CONTENT_TYPE"] == "text/plain"
    assert not any(key.startswith("HTTP_CONTENT") for key in seen)


def test_client_and_server_are_named() -> None:
    seen = _environ(_request())
    assert (seen["REMOTE_ADDR"], seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("192.0.2.1", "192.0.2.2", "80")


@pytest.mark.parametrize(
    ("header", "body"),
    [
        pytest.param("Content-Length: 5", b"abcde", id="length"),
        pytest.param("Transfer-Encoding: chunked", b"2;x=y\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", id="chunks"),
    ],
)
def test_body_is_read_without_its_framing(header: str, body: bytes) -> None:
    assert _environ(_request("POST / HTTP/1.1", header, body=body))["body"] == b"abcde"


def test_answer_of_known_length_is_kept_open() -> None:
    answer, keep = _exchange(_app("200 OK", [("Content-Length", "2"), ("X-A", "b")], b"{", b"}"), _request())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.fullmatch(
        rb"HTTP/1.1 200 OK\r\nServer: gunicorn\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n"
        rb"Connection: keep-alive\r\nContent-Length: 2\r\nX-A: b",
        head,
    )
    assert (body, keep) == (b"{}", True)


@pytest.mark.parametrize(
    ("line", "ends", "kept"),
    [
        pytest.param("GET / HTTP/1.1", b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", True, id="in chunks"),
        pytest.param("GET / HTTP/1.0", b"\r\n\r\nabc", False, id="to the end, for HTTP/1.0"),
        pytest.param("HEAD / HTTP/1.1", b"\r\n\r\n", True, id="not at all"),
    ],
)
def test_answer_of_unknown_length_is_sent(line: str, ends: bytes, kept: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    answer, keep = _exchange(_app("200 OK", [], b"ab", b"", b"c"), _request(line, "Connection: keep-alive"))
    assert answer.endswith(ends)
    assert keep == kept
    assert (b"Connection: keep-alive" in answer) == kept


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answer_without_a_body_has_none(status: str) -> None:
    answer, keep = _exchange(_app(status, [], b"body"), _request())
    assert answer.endswith(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in answer
    assert keep


@pytest.mark.parametrize(
    ("parts", "body", "kept"),
    [
        pytest.param([b"ab", b"cd"], b"abc", True, id="more"),
        pytest.param([b"ab"], b"ab", False, id="less"),
    ],
)
def test_length_is_what_was_said(parts: list[bytes], body: bytes, kept: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    answer, keep = _exchange(_app("200 OK", [("Content-Length", "3")], *parts), _request())
    assert answer.partition(b"\r\n\r\n")[2] == body
    assert keep == kept


def test_application_cannot_say_how_it_is_sent() -> None:
    headers = [("Connection", "close"), ("Transfer-Encoding", "gzip"), ("Content-Length", "0")]
    answer, keep = _exchange(_app("200 OK", headers), _request())
    assert b"close" not in answer
    assert b"gzip" not in answer
    assert keep


@pytest.mark.parametrize("value", ["a\r\nX-Evil: b", "a\nb", "a\rb"])
def test_line_break_in_a_header_is_never_sent(value: str) -> None:
    answer, keep = _exchange(_app("200 OK", [("Content-Length", "0"), ("X-A", value)]), _request())
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"X-Evil" not in answer
    assert not keep


@pytest.mark.parametrize("connection", ["Connection: close", "Connection: close, TE"])
def test_client_that_wants_no_more_is_believed(connection: str) -> None:
    answer, keep = _exchange(_app("200 OK", [("Content-Length", "0")]), _request("GET / HTTP/1.1", connection))
    assert b"Connection: close" in answer
    assert not keep


class _Breaks:
    """A body that fails after its first part."""

    closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield b"a"
        raise RuntimeError("broken")

    def close(self) -> None:
        self.closed = True


def test_answer_begins_once() -> None:
    def application(_environ: exchange.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return ()

    answer, keep = _exchange(application, _request())
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert not keep


@pytest.mark.parametrize(("begun", "status"), [(False, b"500"), (True, b"200")])
def test_answer_becomes_an_error_until_it_has_begun(begun: bool, status: bytes) -> None:  # noqa: FBT001 (of the test)
    def application(_environ: exchange.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        if begun:
            write(b"a")
        try:
            iter(_Breaks()).throw(RuntimeError)  # type: ignore[attr-defined]  # a generator
        except RuntimeError:
            start_response("500 Broken", [], sys.exc_info())
        return [b"b"]

    answer, keep = _exchange(application, _request())
    assert answer.startswith(b"HTTP/1.1 %b " % status)
    assert keep != begun


def test_body_that_is_too_large_is_refused_by_any_server() -> None:
    seen: list[exchange.Environ] = []

    def application(environ: exchange.Environ, _start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ)
        return ()

    bounded_wsgi(application, 10)({"CONTENT_LENGTH": "20"}, lambda *_: None)
    assert seen == [{"CONTENT_LENGTH": "20"}], "nobody read it"


def test_answer_that_breaks_off_is_the_last() -> None:
    body = _Breaks()

    def application(_environ: exchange.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    answer, keep = _exchange(application, _request())
    assert answer.endswith(b"\r\n\r\n1\r\na\r\n"), "no chunk says that this was all"
    assert body.closed
    assert not keep


# Answers of many parts


class _Parts:
    """A long body that says how much was asked of it, and whether it was told of its end."""

    def __init__(self, count: int) -> None:
        self.asked, self.count, self.closed = 0, count, False

    def __iter__(self) -> Iterator[bytes]:
        while self.asked < self.count:
            self.asked += 1
            yield b"a" * 10_000

    def close(self) -> None:
        self.closed = True


@contextmanager
def _begun(body: Iterable[bytes], *headers: tuple[str, str], line: str = "GET / HTTP/1.1") -> Iterator[_Slow]:
    """An answer of which the client has read nothing yet."""
    ours, theirs = socket.socketpair()
    connection = Connection(Config(), ours, ("192.0.2.1", 4000), ("192.0.2.2", 80), 1000)
    connection.feed(_request(line))
    connection.begin()

    def application(_environ: exchange.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", list(headers))
        return body

    with closing(theirs):
        exchange.answer(application, connection, keep=True)
        yield connection, theirs
        connection.close()


def _read_on(connection: Connection, theirs: socket.socket) -> bytes:
    """Let the client read until nothing more comes, the answer going on whenever it may."""
    received = b""
    theirs.settimeout(0)
    while True:
        connection.flush()
        if not connection.unsent and (go_on := connection.go_on):
            connection.go_on = None
            go_on()
        try:
            received += theirs.recv(1 << 20)
        except BlockingIOError:
            return received


def test_answer_waits_for_a_client_that_does_not_keep_up() -> None:
    body = _Parts(10_000)
    with _begun(body) as (connection, _):
        assert connection.go_on
        assert 20 < body.asked < 200
        assert len(connection.unsent) < 300_000
        assert not body.closed


def test_answer_goes_on_as_the_client_reads() -> None:
    body = _Parts(500)
    with _begun(body) as (connection, theirs):
        received = _read_on(connection, theirs)
    assert received.count(b"a" * 10_000) == 500
    assert received.endswith(b"\r\n0\r\n\r\n")
    assert body.closed


def test_answer_of_known_length_that_is_all_there_waits_for_nobody() -> None:
    with _begun([b"a" * 1_000_000], ("Content-Length", "1000000")) as (connection, _):
        assert len(connection.unsent) > 300_000
        assert connection.go_on is None


def test_answer_to_a_client_that_is_gone_is_given_up() -> None:
    body = _Parts(10_000)
    with _begun(body) as (connection, theirs):
        go_on, asked = connection.go_on, body.asked
        theirs.close()
        connection.flush()
        assert connection.gone
        assert go_on
        assert go_on() is False
        assert (body.asked, body.closed) == (asked, True)


def test_answer_goes_on_as_the_request_it_was_begun_for() -> None:
    seen: list[str] = []

    def parts() -> Iterator[bytes]:
        for _ in range(100):
            seen.append(correlation.current()["request_id"])
            yield b"a" * 10_000

    correlation.begin("this-request")
    with _begun(parts()) as (connection, theirs):
        correlation.begin("another-request")
        _read_on(connection, theirs)
    correlation.end()
    assert seen == ["this-request"] * 100


@pytest.mark.parametrize(
    ("line", "reset"), [("GET / HTTP/1.1", False), ("GET / HTTP/1.0", True)], ids=["chunked", "open-ended"]
)
def test_client_sees_that_an_answer_broke_off(line: str, reset: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    with _begun(_Breaks(), line=line) as (connection, _):
        linger = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        assert (linger == RESET) == connection.gone == reset
