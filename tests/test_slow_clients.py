"""Clients that are slow, by design or by malice: they hold up nobody else, and not for ever."""

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import live
from tests.client import Live
from tests.tokens import token

SERVERS = pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
LINES = (
    f"POST /tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token('alice-slow')}\r\n"
    "Content-Type: application/json\r\n"
)
SLOW = {
    "in the head": LINES + "X-Slow: ",
    "in the body": LINES + "Content-Length: 5000\r\n\r\n",
    "in the chunks": LINES + "Transfer-Encoding: chunked\r\n\r\n1388\r\n",
    "after a refused expectation": LINES + "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n",
}
LARGE = b"GET /static/ninja/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
ESTABLISHED = "01"

pytestmark = pytest.mark.django_db(databases=["default", "operator"])


def _connect(base_url: str, sent: str = "") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", httpx.URL(base_url).port or 0), timeout=10)
    connection.sendall(sent.encode())
    return connection


def _drip(connections: list[socket.socket], stopped: threading.Event, seconds: float) -> None:
    while not stopped.wait(seconds):
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(b"a")


@contextlib.contextmanager
def dripping(connections: list[socket.socket], seconds: float) -> Iterator[None]:
    """Have each send one byte every so many seconds."""
    stopped = threading.Event()
    thread = threading.Thread(target=_drip, args=(connections, stopped, seconds))
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        for connection in connections:
            connection.close()


def _slowest(base_url: str, requests: int = 20) -> float:
    """How long the slowest of some requests takes, each over a connection of its own."""
    seconds = []
    for _ in range(requests):
        started = time.monotonic()
        headers = {"Authorization": f"Bearer {token('bob-quick')}"}
        assert httpx.post(f"{base_url}/tasks", json={"text": "quick"}, headers=headers).status_code == 201
        seconds.append(time.monotonic() - started)
    return max(seconds)


@SERVERS
def test_two_hundred_slow_clients_hold_up_nobody(name: str) -> None:
    """Idle after an answer, silent from the start, or sending a byte a second for the 10 s that each of them has."""
    with live.serve(name, {"WEB_CONCURRENCY": "1"}) as base_url:
        idle = [_connect(base_url, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(40)]
        silent = [_connect(base_url) for _ in range(40)]
        slow = [_connect(base_url, sent) for sent in SLOW.values() for _ in range(30)]
        with dripping(slow, 1):
            time.sleep(0.5)
            assert _slowest(base_url) < 3
        for connection in (*idle, *silent):
            connection.close()


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def strict(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[Live]:  # noqa: ARG001 (the database)
    """A server that gives its clients half a second."""
    with live.serve(request.param, {"WEB_CONCURRENCY": "1", "CLIENT_TIMEOUT": "0.5"}) as base_url:
        client = Live(request.param, base_url)
        yield client
        client.close()


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_request_that_does_not_arrive_in_time_is_refused_with_408(strict: Live, sent: str) -> None:
    connection = _connect(strict.base_url, sent)
    with dripping([connection], 0.1):
        started = time.monotonic()
        answer = connection.recv(65536)
        answer = answer if b"100 Continue" not in answer else connection.recv(65536)
        assert 0.4 < time.monotonic() - started < 3
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in head.lower()
        assert json.loads(body)["error"] == "REQUEST_TIMEOUT"


def _reader(port: int, request: bytes = LARGE * 8, buffer: int = 4096) -> socket.socket:
    """Asks for more than the system buffers for a client that does not read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request)
    return connection


def _list_of_megabytes(base_url: str) -> bytes:
    """A request for one: an answer in one piece."""
    token_ = token("alice-long")
    tasks = {"operations": [{"op": "create", "task": {"text": "a" * 500}}] * 100}
    for _ in range(25):
        answer = httpx.post(f"{base_url}/tasks/batch", json=tasks, headers={"Authorization": f"Bearer {token_}"})
        assert answer.status_code == 200
    return f"GET /tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token_}\r\n\r\n".encode()


def _held_open(port: int) -> set[int]:
    """The ports of the clients with whom a server on this machine has a connection."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = [(int(local[-4:], 16), int(remote[-4:], 16), state) for _, local, remote, state, *_ in lines]
    return {remote for local, remote, state in ports if local == port and state == ESTABLISHED}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the connections in /proc")
@pytest.mark.parametrize("strict", ["gunicorn", "uvicorn", "granian"], indirect=True)
def test_client_that_does_not_read_is_let_go(strict: Live) -> None:
    """One more of them than there are threads."""
    port = httpx.URL(strict.base_url).port or 0
    readers = [_reader(port) for _ in range(17)]
    assert _slowest(strict.base_url, 5) < 3
    ours = {reader.getsockname()[1] for reader in readers}
    deadline = time.monotonic() + 20
    while ours & _held_open(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for reader in readers:
        reader.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the connections in /proc")
@pytest.mark.parametrize("strict", ["gunicorn", "uvicorn", "granian"], indirect=True)
@pytest.mark.parametrize("answer", ["in parts", "in one piece"])
def test_client_that_reads_steadily_is_not_cut_off(strict: Live, answer: str) -> None:
    """So slowly that the system's buffers for it, if they could grow, would stay full for the time it is given."""
    port = httpx.URL(strict.base_url).port or 0
    request = LARGE * 8 if answer == "in parts" else _list_of_megabytes(strict.base_url)
    with contextlib.closing(_reader(port, request, 65536)) as reader:
        for _ in range(150):  # for twice the time of one that takes nothing
            assert reader.recv(8192)
            time.sleep(0.02)
        assert reader.getsockname()[1] in _held_open(port)


def test_request_may_begin_while_the_one_before_is_answered(strict: Live) -> None:
    """Its time is not up as long as the server has it wait."""
    with contextlib.closing(_connect(strict.base_url, f"{LARGE.decode()}GET /livez HTTP/1.1\r\nHost: loc")) as client:
        time.sleep(0.7)
        client.sendall(b"alhost\r\nConnection: close\r\n\r\n")
        with client.makefile("rb") as answers:
            assert answers.read().endswith(b'{"status":"alive"}')


def test_client_that_sends_nothing_is_let_go(strict: Live) -> None:
    with contextlib.closing(_connect(strict.base_url)) as silent:
        silent.settimeout(3)
        assert silent.recv(1) == b""


def test_idle_connections_make_room_when_there_are_too_many() -> None:
    options = ["--worker-connections", "20"]
    with live.start("gunicorn", {"WEB_CONCURRENCY": "1"}, options) as server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(contextlib.closing(_connect(server.base_url))) for _ in range(20)]
        assert _slowest(server.base_url, 3) < 3
        assert silent[0].recv(1) == b""
        silent[-1].sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert silent[-1].recv(100).startswith(b"HTTP/1.1 200 ")


def test_probes_are_answered_while_the_database_hangs() -> None:
    """It takes connections and is silent, and more requests wait for it than there are threads."""
    request = f"GET /tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token('alice-slow')}\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0), backlog=100) as frozen, contextlib.ExitStack() as stack:
        url = f"postgresql://a:b@127.0.0.1:{frozen.getsockname()[1]}/c"
        env = {"WEB_CONCURRENCY": "1", "DATABASE_URL": url, "DATABASE_URL_UNPOOLED": url}
        base_url = stack.enter_context(live.serve("gunicorn", env))
        for _ in range(80):
            stack.enter_context(contextlib.closing(_connect(base_url, request)))
        for path in ["/livez", "/readyz", "/health"] + ["/livez?again"] * 9:
            started = time.monotonic()
            assert httpx.get(f"{base_url}{path}").status_code == (200 if "livez" in path else 503)
            assert time.monotonic() - started < 0.6
