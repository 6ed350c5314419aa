"""Exports too large to be kept anywhere: sent as they are read, whoever reads them, and however slowly."""

import contextlib
import re
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests import live
from tests.parts.process import children
from tests.tokens import token

TASKS = 20_000  # 6 MB of JSON
READERS = 17  # one more than there are threads
MIB = 2**20

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

INSERT = """INSERT INTO tasks_task (id, user_id, text, created_at)
    SELECT gen_random_uuid(), %s, 'Task ' || n, now() - n * interval '1 second' FROM generate_series(1, %s) AS n"""


@pytest.fixture(scope="module")
def alice(django_db_setup: None) -> Iterator[str]:  # noqa: ARG001 (the database)
    """Somebody with many tasks."""
    sub = f"alice-{uuid.uuid4()}"
    with psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"], autocommit=True) as operator:
        operator.execute(INSERT, [sub, TASKS])
        yield sub
        operator.execute("DELETE FROM tasks_task WHERE user_id = %s", [sub])


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def server(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[live.Server]:  # noqa: ARG001 (the database)
    with live.start(request.param, {"WEB_CONCURRENCY": "1"}) as server:
        yield server


def _numbers(file: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb'"text":"Task (\d+)"', file)]


def _reader(base_url: str, sub: str, version: str = "1.1") -> socket.socket:
    """Asks for an export, and has read nothing of it yet."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    reader.settimeout(20)
    reader.connect(("127.0.0.1", httpx.URL(base_url).port or 0))
    lines = f"GET /me/export HTTP/{version}\r\nHost: localhost\r\nAuthorization: Bearer {token(sub)}\r\n\r\n"
    reader.sendall(lines.encode())
    return reader


def _get(base_url: str, path: str, sub: str = "bob-quick") -> httpx.Response:
    return httpx.get(base_url + path, headers={"Authorization": f"Bearer {token(sub)}"}, timeout=20)


def _memory(server: int) -> int:
    """Of the largest process."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in [server, *children(server)]]
    return max(pages) * 4096


def test_export_has_every_task_once(server: live.Server, alice: str) -> None:
    assert _numbers(_get(server.base_url, "/me/export", alice).content) == list(range(1, TASKS + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the memory in /proc")
def test_readers_who_do_not_read_hold_neither_threads_nor_memory(server: live.Server, alice: str) -> None:
    with contextlib.ExitStack() as stack:
        _get(server.base_url, "/me/export", alice)
        before = _memory(server.process.pid)
        for _ in range(READERS):
            reader = stack.enter_context(contextlib.closing(_reader(server.base_url, alice)))
            assert reader.recv(15) == b"HTTP/1.1 200 OK"
        assert _get(server.base_url, "/tasks").status_code == 200
        assert _memory(server.process.pid) - before < READERS * 1.5 * MIB


def test_reader_who_pauses_gets_all_of_it(server: live.Server, alice: str) -> None:
    with contextlib.closing(_reader(server.base_url, alice)) as reader:
        received = b""
        while not received.endswith(b"\r\n0\r\n\r\n"):
            if received.count(b"Task ") % 1000 < 10:
                _get(server.base_url, "/livez")
            received += reader.recv(65_536)
    assert len(set(_numbers(re.sub(rb"\r\n[0-9a-f]+\r\n", b"", received)))) == TASKS


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_reader_who_has_stopped_reading_is_let_go(name: str, alice: str) -> None:
    env = {"WEB_CONCURRENCY": "1", "CLIENT_TIMEOUT": "0.5"}
    with live.serve(name, env) as base_url, contextlib.closing(_reader(base_url, alice)) as reader:
        deadline = time.monotonic() + 20
        time.sleep(1.5)
        while _established(reader):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert _get(base_url, "/me/export", alice).status_code == 200


def _established(reader: socket.socket) -> bool:
    """Whether the other side still holds the connection."""
    mine, states = reader.getsockname()[1], Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(int(line.split()[2][-4:], 16) == mine and line.split()[3] == "01" for line in states)
