"""The live servers themselves: bodies in chunks, connections kept, the end on SIGTERM, and `manage.py serve`."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from pytest_django import Settings

from config.management.commands import serve
from tasks.models import Task
from tests import live
from tests.authjwt.configuration import settings_for
from tests.client import Live, User
from tests.shapes import assert_error
from tests.tokens import token

pytestmark = pytest.mark.django_db(databases=["default", "operator"])
JSON = {"Content-Type": "application/json"}


@pytest.fixture(params=["gunicorn", "uvicorn", "granian"])
def server(request: pytest.FixtureRequest) -> Live:
    running: Live = request.getfixturevalue(request.param)
    return running


@pytest.fixture(params=["gunicorn", "uvicorn"])
def refusing(request: pytest.FixtureRequest) -> Live:
    """One that refuses what is no request in our shape, not in its own."""
    running: Live = request.getfixturevalue(request.param)
    return running


def _post_in_chunks(server: Live, sub: str, size: int) -> httpx.Response:
    def chunks() -> Iterator[bytes]:
        yield b'{"text": "in chunks"}'
        for _ in range(size // 1000):
            yield b" " * 1000

    headers = JSON | {"Authorization": f"Bearer {token(sub)}"}
    return httpx.post(f"{server.base_url}/tasks", content=chunks(), headers=headers, timeout=20)


def test_body_in_chunks_is_read(server: Live) -> None:
    answer = _post_in_chunks(server, "alice-chunks", 2000)
    assert answer.status_code == 201
    assert answer.json()["text"] == "in chunks"


def test_larger_body_in_chunks_is_refused(server: Live) -> None:
    answer = _post_in_chunks(server, "alice-flood", 200_000)
    assert answer.status_code == 413
    assert answer.json()["error"] == "PAYLOAD_TOO_LARGE"
    assert User(server, "alice-flood").get("/tasks").json["count"] == 0


def test_large_body_without_a_token_is_refused_for_its_size(server: Live) -> None:
    assert_error(User(server, None).post("/tasks", content=b" " * 100_000, headers=JSON), 413)


@pytest.mark.parametrize("name", ["gunicorn", "granian"])
def test_connection_of_a_body_that_was_not_read_is_closed(name: str, request: pytest.FixtureRequest) -> None:
    answer = User(request.getfixturevalue(name), "alice").post("/tasks", content=b" " * 1_000_000, headers=JSON)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_connection_survives_a_body_that_nobody_wanted(server: Live) -> None:
    """The body of a request to an unknown path is read all the same: else the next request would be taken for it."""
    user = User(server, "alice")
    for _ in range(20):
        assert_error(user.post("/nope", {"text": "a" * 5000}), 404)
        assert user.get("/livez").status == 200


def _serve(**env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=live.ROOT,
        env={**os.environ, **live.database_urls(), "WEB_CONCURRENCY": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_prints_a_curl_that_works_and_ends_when_told(how: signal.Signals) -> None:
    with _serve(PORT="0") as process:
        try:
            assert process.stdout is not None
            base, docs, curl = (process.stdout.readline() for _ in range(3))
            found = re.search(r'curl -H "(.+?): (.+?)" (\S+)', curl)
            assert found, curl
            name, value, url = found.groups()
            answer = httpx.get(url, headers={name: value}, timeout=20)
            assert answer.status_code == 200
            assert answer.json()["count"] >= 3
            assert {task["user_id"] for task in answer.json()["tasks"]} == {"demo"}
            assert base.split()[-1] in url
            assert httpx.get(docs.split()[-1]).status_code == 200
        finally:
            process.send_signal(how)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    "command", [("gunicorn", "-c", "python:config.gunicorn", "config.wsgi"), ("config.granian",)], ids=lambda c: c[0]
)
def test_server_is_on_its_port_and_ends_where_there_is_no_database_url(command: tuple[str, ...]) -> None:
    """It lets go of the embedded PostgreSQL, which waits for whoever uses it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    env = {"PORT": str(port), "DATABASE_URL": "", "DATABASE_URL_UNPOOLED": "", "WEB_CONCURRENCY": "1"}
    with subprocess.Popen([sys.executable, "-m", *command], cwd=live.ROOT, env=os.environ | env) as process:
        try:
            live.wait_until_alive(command[0], f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
        assert process.wait(30) == 0


def test_granian_names_the_port_that_is_taken() -> None:
    with socket.create_server(("", 0)) as taken:
        done = live.python("-m", "config.granian", env={"PORT": str(taken.getsockname()[1])})
    assert done.returncode == 1
    assert done.stderr.startswith("PORT: cannot listen on port ")


def test_serve_does_not_add_demo_tasks_again() -> None:
    demo = Task.objects.using("operator").owned_by(serve.DEMO_USER)
    serve._add_demo_tasks()
    before = demo.count()
    serve._add_demo_tasks()
    assert demo.count() == before >= len(serve.DEMO_TASKS)


def test_serve_shows_where_better_auths_token_goes(settings: Settings) -> None:
    settings.AUTHJWT = settings_for("jwks", "http://127.0.0.1:1/jwks")
    assert serve._demo_token() == "$TOKEN"


def test_serve_names_the_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = live.python("manage.py", "serve", env={**live.database_urls(), "PORT": port})
    assert done.returncode == 1
    assert port in done.stderr
    assert "PORT" in done.stderr


def _raw(server: Live, sent: bytes, *, then_end: bool = False) -> bytes:
    """What the server answers to these bytes until it closes, or is silent for a second."""
    received = b""
    with socket.create_connection(("127.0.0.1", httpx.URL(server.base_url).port or 0), timeout=10) as connection:
        connection.sendall(sent)
        if then_end:
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while part := connection.recv(65536):
                received += part
                connection.settimeout(1)
    return received


def _post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /tasks HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


AUTHORIZATION = f"Authorization: Bearer {token('alice-raw')}"
CHUNKED = "Transfer-Encoding: chunked"
HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"
HEAD_TOO_LARGE = "REQUEST_HEADER_FIELDS_TOO_LARGE"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"NONSENSE\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX\x00: a\r\n\r\n", id="NUL in a name"),
        pytest.param(_post(b"", "Content-Length: x"), id="bad length"),
        pytest.param(_post(b"0\r\n\r\n", "Transfer-Encoding:\r\n chunked"), id="folded"),
    ],
)
def test_what_is_no_request_is_refused_in_our_shape(refusing: Live, sent: bytes) -> None:
    head, _, body = _raw(refusing, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/json" in head
    for name in (b"X-Request-ID", b"Content-Security-Policy", b"X-Frame-Options", b"X-Content-Type-Options"):
        assert name in head
    assert set(json.loads(body)) == {"error", "message"}


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414, "URI_TOO_LONG", id="long URL"),
        pytest.param(b"GET /" + b"a" * 200_000, 414, "URI_TOO_LONG", id="endless URL"),
        pytest.param(HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431, HEAD_TOO_LARGE, id="long header"),
        pytest.param(HEAD + b"X: " + b"a" * 200_000, 431, HEAD_TOO_LARGE, id="endless header"),
        pytest.param(HEAD + b"X: a\r\n" * 101 + b"\r\n", 431, HEAD_TOO_LARGE, id="many headers"),
        pytest.param(HEAD + b"X: a\r\n" * 5000, 431, HEAD_TOO_LARGE, id="headers without end"),
    ],
)
def test_floods_are_refused_in_our_shape(refusing: Live, sent: bytes, status: int, code: str) -> None:
    head, _, body = _raw(refusing, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/json" in head
    assert json.loads(body)["error"] == code


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"NONSENSE\r\n\r\n", 400, id="no HTTP"),
        pytest.param(_post(b"", "Content-Length: x"), 400, id="bad length"),
        pytest.param(_post(b"0\r\n\r\n", "Transfer-Encoding:\r\n chunked"), 400, id="folded"),
        pytest.param(HEAD + b"X: " + b"a" * 200_000, 431, id="endless header"),
        pytest.param(HEAD + b"X: a\r\n" * 101 + b"\r\n", 431, id="many headers"),
    ],
)
def test_granian_refuses_what_is_no_request_without_a_word(granian: Live, sent: bytes, status: int) -> None:
    head, _, body = _raw(granian, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in head
    assert body == b""


def test_expectation_of_a_body_that_is_too_large_is_refused_at_once(server: Live) -> None:
    """Without a `100 Continue`, after which the client would send it all."""
    answer = _raw(server, _post(b"", AUTHORIZATION, "Content-Length: 100000", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_expectation_of_a_body_is_met(server: Live) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(server.base_url).port or 0), timeout=10) as connection:
        authorization = f"Authorization: Bearer {token('alice-told')}"
        connection.sendall(_post(b"", authorization, "Content-Length: 16", "Expect: 100-continue"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'{"text": "told"}')
        assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")


def test_body_in_chunks_that_breaks_off_creates_nothing(refusing: Live) -> None:
    user = User(refusing, f"alice-{uuid.uuid4()}")
    authorization = f"Authorization: Bearer {token(user.sub or '')}"
    _raw(refusing, _post(b'd\r\n{"text":"pp"}\r\n', authorization, CHUNKED), then_end=True)
    assert user.get("/tasks").json["count"] == 0


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(_post(b"zz\r\n", AUTHORIZATION, CHUNKED), id="broken chunks"),
        pytest.param(_post(b'{"text": "cut"}', AUTHORIZATION, "Content-Length: 20"), id="cut short"),
        pytest.param(_post(b'{"text": "a"}', AUTHORIZATION, "Transfer-Encoding: gzip"), id="not chunked"),
    ],
)
def test_gunicorn_refuses_a_body_that_breaks_off_and_closes(gunicorn: Live, sent: bytes) -> None:
    alice = User(gunicorn, "alice-raw")
    before = alice.get("/tasks").json["count"]
    answers = _raw(gunicorn, sent, then_end=True)
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answers
    assert alice.get("/tasks").json["count"] == before


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(_post(b"a" * 5, AUTHORIZATION, f"Content-Length: {2**64 + 5}"), 413, id="length"),
        pytest.param(_post(b"%x\r\naaaaa\r\n0\r\n\r\n" % (2**64 + 5), AUTHORIZATION, CHUNKED), 400, id="chunk"),
    ],
)
def test_size_beyond_64_bits_is_no_small_one(gunicorn: Live, sent: bytes, status: int) -> None:
    """What follows would be another request, for a server that counts round the corner, and the body for others."""
    answers = _raw(gunicorn, sent + HEAD + b"\r\n")
    assert answers.startswith(b"HTTP/1.1 %d " % status)
    assert answers.count(b"HTTP/1.1") == 1


def test_other_expectation_is_refused(gunicorn: Live) -> None:
    answers = _raw(gunicorn, _post(b"{}", AUTHORIZATION, "Content-Length: 2", "Expect: a miracle"))
    assert answers.startswith(b"HTTP/1.1 417 ")
    assert answers.count(b"HTTP/1.1") == 1


def test_granian_creates_nothing_of_a_body_shorter_than_announced(granian: Live) -> None:
    user = User(granian, f"alice-{uuid.uuid4()}")
    authorization = f"Authorization: Bearer {token(user.sub or '')}"
    answer = _raw(granian, _post(b'{"text": "cut"}', authorization, "Content-Length: 20"), then_end=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert user.get("/tasks").json["count"] == 0


def test_pipelined_requests_are_all_answered(server: Live) -> None:
    requests = (HEAD + b"\r\n") * 4 + HEAD + CLOSE
    assert _raw(server, requests).count(b'{"status":"alive"}') == 5


def test_trailers_are_no_headers(server: Live) -> None:
    body = b'd\r\n{"text":"pp"}\r\n0\r\n' + AUTHORIZATION.encode() + b"\r\n\r\n"
    answers = _raw(server, _post(body, CHUNKED, "Connection: close"))
    assert answers.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 ")), "gunicorn takes no trailers at all"


def test_endless_body_is_cut_off(server: Live) -> None:
    """After the 413 the server reads no more: sending fails, long before the gigabyte."""
    address = ("127.0.0.1", httpx.URL(server.base_url).port or 0)
    with socket.create_connection(address, timeout=10) as connection, pytest.raises(OSError):  # noqa: PT011 (or subclass)
        _flood(connection)


def _flood(connection: socket.socket) -> None:
    connection.sendall(_post(b"", AUTHORIZATION, CHUNKED))
    for _ in range(16_000):
        connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def test_token_that_is_too_large_is_refused_with_401(server: Live) -> None:
    headers = {"Authorization": "Bearer " + "a" * 20_000}
    assert_error(User(server, None).get("/tasks", headers=headers), 401)


@pytest.mark.parametrize(
    "believed",
    [
        pytest.param("X-Forwarded-Proto: https\r\nX-Forwarded-SSL: off", id="schemes that contradict each other"),
        pytest.param("SCRIPT_NAME: /elsewhere", id="a place in a larger site"),
    ],
)
def test_nobody_is_believed_for_connecting_from_this_machine(server: Live, believed: str) -> None:
    assert _raw(server, HEAD + believed.encode() + b"\r\n" + CLOSE).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_wish_for_another_protocol_is_ignored(server: Live, protocol: str) -> None:
    wish = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAAQAAP__")
    wishing = _post(b'{"text": "wish"}', AUTHORIZATION, "Content-Length: 16", *wish)
    answers = _raw(server, wishing * 3 + HEAD + CLOSE)
    assert answers.count(b"HTTP/1.1 201 ") == 3
    assert answers.count(b"HTTP/1.1 200 ") == 1


@dataclass(frozen=True)
class Ended:
    """What a server had logged when it had ended, and how long that took while a connection was idle."""

    lines: list[dict[str, Any]]
    left: str
    """The id of the request whose client had left."""
    seconds: float


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn", "granian"])
def ended(request: pytest.FixtureRequest, django_db_setup: None) -> Ended:  # noqa: ARG001 (the server's database)
    name, left = request.param, str(uuid.uuid4())
    with tempfile.TemporaryFile() as log, httpx.Client() as idle:
        with live.start(name, {"WEB_CONCURRENCY": "1", "LOG_FORMAT": "json"}, log=log) as started:
            server = Live(name, started.base_url)
            _leave(server, left)
            assert _raw(server, b"NONSENSE\r\n\r\n").startswith(b"HTTP/1.1 400 ")
            server.close()
            assert idle.get(f"{server.base_url}/livez").status_code == 200
            told = time.monotonic()
        seconds = time.monotonic() - told
        log.seek(0)
        return Ended([json.loads(line) for line in log if line.startswith(b"{")], left, seconds)


def _leave(server: Live, request_id: str) -> None:
    """Send a request that waits for a lock, so that its client has surely left before it is answered."""
    path = f"/tasks/{User(server, 'alice-raw').task()['id']}"
    patch = _post(b'{"completed": true}', AUTHORIZATION, "Content-Length: 19", f"X-Request-ID: {request_id}")
    with psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"]) as other:
        other.execute("select from tasks_task where id = %s for update", [path.rpartition("/")[2]])
        with socket.create_connection(("127.0.0.1", httpx.URL(server.base_url).port or 0)) as leaving:
            leaving.sendall(patch.replace(b"POST /tasks", f"PATCH {path}".encode(), 1))
            time.sleep(0.3)
        time.sleep(0.2)
        other.commit()
    time.sleep(0.2)


def test_request_whose_client_left_has_its_line(ended: Ended) -> None:
    lines = [line for line in ended.lines if line.get("request_id") == ended.left]
    assert [(line["event"], line["status"]) for line in lines] == [("request", 200)]


@pytest.mark.parametrize("ended", ["gunicorn", "uvicorn"], indirect=True)  # granian says nothing of it
def test_what_is_no_request_has_one_line(ended: Ended) -> None:
    assert [line["event"] for line in ended.lines if line["level"] == "warning"] == ["refused_by_server"]


def test_sigterm_does_not_wait_for_idle_connections(ended: Ended) -> None:
    assert ended.seconds < 15, "far below the 25 s that requests in flight are given"
