"""Servers and workers that end, on purpose or not, while clients are at it: nobody is cut off, nothing is lost."""

import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import httpx
import psycopg
import pytest

from tests import live
from tests.client import Live, User
from tests.load import load
from tests.parts.process import children
from tests.tokens import token

pytestmark = pytest.mark.django_db(databases=["default", "operator"])
# uvicorn's master would keep the door open with nobody behind it: several processes are gunicorn's business.
SERVERS = pytest.mark.parametrize(("name", "processes"), [("gunicorn", "2"), ("uvicorn", "1")])
ALL_SERVERS = pytest.mark.parametrize(("name", "processes"), [("gunicorn", "2"), ("uvicorn", "1"), ("granian", "2")])
FORKING = pytest.mark.parametrize("name", ["gunicorn", "granian"])
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _workers(server: live.Server) -> set[int]:
    return set(children(server.process.pid))


def _user() -> str:
    return f"alice-{uuid.uuid4()}"


def _address(server: live.Server) -> tuple[str, int]:
    return "127.0.0.1", httpx.URL(server.base_url).port or 0


def _refuses(server: live.Server) -> bool:
    try:
        socket.create_connection(_address(server), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


@SERVERS
def test_sigterm_under_load_cuts_nobody_off(name: str, processes: str) -> None:
    with live.start(name, {"WEB_CONCURRENCY": processes}) as server, load(server.base_url, _user()) as clients:
        _until(lambda: clients.total > 100)
        server.process.terminate()
        assert server.process.wait(30) == 0
        _until(lambda: clients.refused == 8)
    assert clients.cut == []
    assert set(clients.answers) == {201}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_granian_says_close_before_it_closes(how: signal.Signals) -> None:
    """Also when it only replaces its workers, so that a client's next request is not on its way just then."""
    with (
        live.start("granian", {"WEB_CONCURRENCY": "1"}) as server,
        closing(HTTPConnection(*_address(server), timeout=10)) as connection,
    ):
        assert _get(connection).getheader("connection") is None
        server.process.send_signal(how)
        _until(lambda: _get(connection).getheader("connection") == "close")


def _get(connection: HTTPConnection) -> HTTPResponse:
    connection.request("GET", "/livez")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b'{"status":"alive"}')
    return response


@ALL_SERVERS
def test_after_sigterm_requests_in_flight_are_answered_and_nobody_new_is_let_in(name: str, processes: str) -> None:
    """One whose body is still arriving, one that waits for a lock in the database."""
    user = _user()
    body = b'{"text": "slow"}'
    with (
        live.start(name, {"WEB_CONCURRENCY": processes}) as server,
        closing(Live(name, server.base_url)) as transport,
        psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"]) as other,
        ThreadPoolExecutor() as pool,
        socket.create_connection(_address(server), timeout=10) as slow,
    ):
        task = User(transport, user).task()
        other.execute("select from tasks_task where id = %s for update", [task["id"]])
        waiting = pool.submit(User(transport, user).patch, f"/tasks/{task['id']}", {"completed": True})
        slow.sendall(_head(user, len(body)) + body[:5])
        time.sleep(0.3)
        server.process.terminate()
        _until(lambda: _refuses(server), 5)
        other.commit()
        slow.sendall(body[5:])
        with slow.makefile("rb") as reader:
            answer = reader.read()
        slow.close()
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert b"connection: close" in answer.lower()
        assert waiting.result().status == 200
        assert server.process.wait(30) == 0


def _head(user: str, length: int) -> bytes:
    lines = [
        "POST /tasks HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {token(user)}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@LINUX
@FORKING
def test_killed_worker_is_replaced_and_loses_nothing_acknowledged(name: str) -> None:
    user = _user()
    with live.start(name, {"WEB_CONCURRENCY": "2"}) as server:
        before = _workers(server)
        with load(server.base_url, user) as clients:
            _until(lambda: clients.total > 100)
            os.kill(min(before), signal.SIGKILL)
            _until(lambda: len(_workers(server) - before) == 1)
            served = clients.total
            _until(lambda: clients.total > served + 100)
        with closing(Live(name, server.base_url)) as transport:
            kept = {task["id"] for task in User(transport, user).get("/tasks").json["tasks"]}
    assert set(clients.answers) == {201}
    assert len(clients.created) > 200
    assert kept >= set(clients.created)


@LINUX
def test_recycled_workers_fail_no_request() -> None:
    options = ["--max-requests", "50", "--max-requests-jitter", "20"]
    with live.start("gunicorn", {"WEB_CONCURRENCY": "2"}, options) as server:
        before = _workers(server)
        with load(server.base_url, _user()) as clients:
            _until(lambda: clients.total > 400)
        assert before.isdisjoint(_workers(server))
    assert clients.cut == []
    assert set(clients.answers) == {201}


@LINUX
@FORKING
def test_workers_whose_master_was_killed_end_soon(name: str) -> None:
    """At once but for what they are at, so that whatever starts a new master finds the port free."""
    with live.start(name, {"WEB_CONCURRENCY": "2"}) as server, load(server.base_url, _user()) as clients:
        workers = _workers(server)
        _until(lambda: clients.total > 100)
        server.process.kill()
        _until(lambda: not any(_runs(worker) for worker in workers), 6)
    assert name == "granian" or clients.cut == [], "granian may cut off who has just connected"
    assert set(clients.answers) == {201}


@LINUX
def test_worker_that_is_to_quit_at_once_waits_for_none_of_its_threads() -> None:
    with live.start("gunicorn", {"WEB_CONCURRENCY": "1"}) as server:
        for path in ("/livez", "/tasks"):  # which have threads of their own
            httpx.get(f"{server.base_url}{path}")
        (worker,) = _workers(server)
        os.kill(worker, signal.SIGQUIT)
        _until(lambda: not _runs(worker), 6)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
