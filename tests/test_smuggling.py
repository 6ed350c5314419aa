"""Where a proxy in front could see one request and we two: the second one is never answered."""

import re

import pytest

from tests.client import Live
from tests.test_servers import _raw

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

SECOND = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = f"Content-Length: {len(SECOND)}"


def _post(*headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["POST /tasks HTTP/1.1", "Host: localhost", *headers, "", ""]).encode() + body + SECOND


AMBIGUOUS = {
    "length, then chunks": _post("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "chunks, then length": _post(CHUNKED, LENGTH, body=b"0\r\n\r\n"),
    "two lengths": _post("Content-Length: 0", LENGTH),
    "two lengths in one": _post(f"Content-Length: 0, {len(SECOND)}"),
    "length with a sign": _post("Content-Length: +0"),
    "length with an underscore": _post("Content-Length: 0_0"),
    "length in hexadecimal": _post("Content-Length: 0x0"),
    "blank before the colon": _post("Transfer-Encoding : chunked", "Content-Length: 0"),
    "chunked, and something else": _post("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "nearly chunked": _post("Transfer-Encoding: xchunked", "Content-Length: 0"),
    "vertical tab": _post("Transfer-Encoding: \x0bchunked", "Content-Length: 0"),
    "carriage return in a value": _post(f"X: a\r{LENGTH}", "Content-Length: 0"),
}
AMBIGUOUS_CHUNKS = {
    "size with an x": _post(CHUNKED, body=b"0x0\r\n\r\n"),
    "size with an underscore": _post(CHUNKED, body=b"0_0\r\n\r\n"),
    "size with a sign": _post(CHUNKED, body=b"+0\r\n\r\n"),
    "line feed in an extension": _post(CHUNKED, body=b"2;\nxx\r\nyy\r\n0\r\n\r\n"),
    "line feed in the last extension": _post(CHUNKED, body=b"0;\n\r\n\r\n"),
}


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in (AMBIGUOUS | AMBIGUOUS_CHUNKS).items()])
def test_ambiguous_request_is_refused_and_the_connection_closed(
    server: str, sent: bytes, request: pytest.FixtureRequest
) -> None:
    assert _statuses(request.getfixturevalue(server), sent) == [b"400"]


@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in AMBIGUOUS.items()])
def test_granian_answers_one_request_at_most(granian: Live, sent: bytes) -> None:
    assert len(_statuses(granian, sent)) == 1


def _statuses(server: Live, sent: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d+)", _raw(server, sent))
