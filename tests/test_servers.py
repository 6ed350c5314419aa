"""The live servers themselves: bodies in chunks, connections kept, the end on SIGTERM, and `manage.py serve`."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests import live
from tests.client import Live, User
from tests.shapes import assert_error
from tests.tokens import token

pytestmark = pytest.mark.django_db
JSON = {"Content-Type": "application/json"}


@pytest.fixture(params=["gunicorn", "uvicorn"])
def server(request: pytest.FixtureRequest) -> Live:
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


def test_gunicorn_closes_the_connection_of_a_body_it_did_not_read(gunicorn: Live) -> None:
    answer = User(gunicorn, "alice").post("/tasks", content=b" " * 1_000_000, headers=JSON)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_connection_survives_a_body_that_nobody_wanted(server: Live) -> None:
    """The body of a request to an unknown path is read all the same: else the next request would be taken for it."""
    user = User(server, "alice")
    for _ in range(20):
        assert_error(user.post("/nope", {"text": "a" * 5000}), 404)
        assert user.get("/livez").status == 200


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_sigterm_ends_the_server(name: str) -> None:
    with live.serve(name, {"WEB_CONCURRENCY": "1"}) as base_url:
        assert httpx.get(f"{base_url}/livez").status_code == 200


def _serve(**env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=live.ROOT,
        env={**os.environ, "DATABASE_URL": live.test_database_url(), "WEB_CONCURRENCY": "1", **env},
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


def test_serve_does_not_add_demo_tasks_again() -> None:
    counts = []
    for _ in range(2):
        with _serve(PORT="0") as process:
            assert process.stdout is not None
            name, value, url = re.findall(
                r'curl -H "(.+?): (.+?)" (\S+)', "".join(process.stdout.readline() for _ in range(3))
            )[0]
            counts.append(httpx.get(url, headers={name: value}, timeout=20).json()["count"])
            process.terminate()
    assert counts[0] == counts[1]


def test_serve_names_the_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "manage.py", "serve"],
            cwd=live.ROOT,
            env={**os.environ, "DATABASE_URL": live.test_database_url(), "PORT": port},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert port in done.stderr
    assert "PORT" in done.stderr


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"NONSENSE\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", id="long URL"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", id="long header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 500 + b"\r\n", id="many headers"),
        pytest.param(b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", id="bad length"),
    ],
)
def test_gunicorn_refuses_what_is_no_request_in_our_shape(gunicorn: Live, request_bytes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(gunicorn.base_url).port or 0), timeout=10) as connection:
        connection.sendall(request_bytes)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert b"application/json" in head
    assert set(json.loads(body)) == {"error", "message"}


def test_broken_chunks_are_a_bad_request(gunicorn: Live) -> None:
    head = f"POST /tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token('alice')}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(gunicorn.base_url).port or 0), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_token_that_is_too_large_is_refused_with_401(server: Live) -> None:
    headers = {"Authorization": "Bearer " + "a" * 20_000}
    assert_error(User(server, None).get("/tasks", headers=headers), 401)
