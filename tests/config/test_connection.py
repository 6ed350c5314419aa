"""Where a request ends, however its bytes come in."""

import gc
import socket
import weakref
from collections.abc import Iterator

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]  # it has no types
from hypothesis import given
from hypothesis import strategies as st

from config.connection import Connection

HEAD = b"POST /tasks HTTP/1.1\r\nHost: localhost\r\n"
NEXT = b"GET /livez HTTP/1.1\r\n"
REQUESTS = {
    "no body": HEAD + b"\r\n",
    "length": HEAD + b"Content-Length: 12\r\n\r\n\r\n\r\n0\r\n\r\n\r\n\r",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\n0\r\n\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: a\r\n\r\n",
}


def _connection(max_body: int = 1000) -> Connection:
    ours, theirs = socket.socketpair()
    theirs.close()
    return Connection(Config(), ours, "", "", max_body)


@pytest.fixture
def connection() -> Iterator[Connection]:
    opened = _connection()
    yield opened
    opened.close()


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@given(cuts=st.sets(st.integers(1, 150)))
def test_request_is_whole_with_its_last_byte_however_it_is_cut(request_: bytes, cuts: set[int]) -> None:
    connection = _connection()
    ends = [*sorted(cut for cut in cuts if cut < len(request_)), len(request_)]
    parts = [request_[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert [connection.feed(part) for part in parts] == [False] * (len(parts) - 1) + [True]
    connection.begin()
    assert connection.request() == request_
    connection.close()


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_next_request_is_kept_for_later(connection: Connection, request_: bytes) -> None:
    assert connection.feed(request_ + NEXT)
    connection.begin()
    assert connection.request() == request_
    assert connection.next() == NEXT
    assert not connection.feed(NEXT)


@pytest.mark.parametrize("length", [1001, 2**64 + 5], ids=["by one", "beyond 64 bits"])
def test_body_that_is_too_large_is_not_waited_for(connection: Connection, length: int) -> None:
    assert connection.feed(HEAD + b"Content-Length: %d\r\n\r\n" % length)
    connection.begin()
    assert not connection.keep, "where the next request begins, nobody knows"


def test_closed_connection_is_freed() -> None:
    connection = _connection()
    connection.feed(HEAD)
    freed = weakref.ref(connection)
    connection.close()
    del connection
    gc.collect()
    assert freed() is None
