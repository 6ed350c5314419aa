"""The database goes away while an export is sent: that heals unseen, or the export breaks off, never as if whole."""

import contextlib
import re
import socket
import uuid
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.client import Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import heals
from tests.parts import Proxy
from tests.tokens import token

TASKS = 12_000  # 4 MB of JSON, more than the system's buffers and ours hold for a reader
INSERT = """INSERT INTO tasks_task (id, user_id, text, created_at)
    SELECT gen_random_uuid(), %s, 'Task ' || n || repeat('.', 100), now() FROM generate_series(1, %s) AS n"""


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def server(request: pytest.FixtureRequest, database: Database, direct: Proxy) -> Iterator[Live]:
    with served(request.param, database, direct.to(database.api_url), WEB_CONCURRENCY="1") as server:
        yield server


@pytest.fixture
def bob(server: Live) -> User:
    """Somebody with few, whose lists are quick on the slowest machine."""
    return User(server, f"bob-{uuid.uuid4()}")


@pytest.fixture(scope="module")
def alice(database: Database) -> str:
    """Somebody with many tasks."""
    sub = f"alice-{uuid.uuid4()}"
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(INSERT, [sub, TASKS])
    return sub


@contextlib.contextmanager
def _export(server: Live, sub: str, version: str = "1.1") -> Iterator[socket.socket]:
    """A reader of an export that has begun, and waits for the reader."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        reader.settimeout(20)
        reader.connect(("127.0.0.1", httpx.URL(server.base_url).port or 0))
        lines = f"GET /me/export HTTP/{version}\r\nHost: localhost\r\nAuthorization: Bearer {token(sub)}\r\n\r\n"
        reader.sendall(lines.encode())
        assert reader.recv(15).endswith(b" 200 OK")
        yield reader


def _tasks(received: bytes) -> int:
    return re.sub(rb"\r\n[0-9a-f]+\r\n", b"", received).count(b"Task ")  # also where a chunk ends within one


def _rest(reader: socket.socket) -> tuple[bytes, bool]:
    """What comes, and whether it is said to be all: by its last chunk, or where there are none by a good-bye."""
    received = b""
    try:
        while data := reader.recv(65_536):
            received += data
            if received.endswith(b"\r\n0\r\n\r\n"):
                return received, True
    except ConnectionResetError:
        return received, False
    return received, b"chunked" not in received


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_export_breaks_off_when_the_database_stays_away(
    server: Live, alice: str, bob: User, direct: Proxy, version: str
) -> None:
    with _export(server, alice, version) as reader:
        direct.refuse()
        direct.cut(reset=True)
        try:
            received, whole = _rest(reader)
        finally:
            direct.resume()
    assert _tasks(received) < TASKS
    assert not whole
    assert heals(bob)


def test_export_goes_on_when_the_database_comes_back(server: Live, alice: str, direct: Proxy) -> None:
    with _export(server, alice) as reader:
        direct.cut(reset=True)
        received, whole = _rest(reader)
    assert _tasks(received) == TASKS
    assert whole


def test_export_is_not_begun_without_the_database(server: Live, alice: str, bob: User, direct: Proxy) -> None:
    direct.refuse()
    direct.cut(reset=True)
    try:
        assert User(server, alice).get("/me/export").status == 503
    finally:
        direct.resume()
    assert heals(bob)
