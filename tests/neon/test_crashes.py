"""The service dies between what it did and its answer; the client, which knows nothing, sends its request again."""

import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import psycopg
import pytest

from tests import live
from tests.client import Answer, Live, User
from tests.neon.conftest import Database
from tests.parts import Proxy
from tests.parts.process import children

DELAY = 0.4  # seconds in each direction
SECONDS = 10.0
ENV = {"WEB_CONCURRENCY": "1"}


def _kill_workers(master: int) -> None:
    for worker in children(master):
        os.kill(worker, signal.SIGKILL)


def _wait_for_task(database: Database, user_id: str) -> None:
    deadline = time.monotonic() + SECONDS
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        while not owner.execute("SELECT FROM tasks_task WHERE user_id = %s", [user_id]).rowcount:
            assert time.monotonic() < deadline, "no task was created"


def test_request_whose_worker_was_killed_is_done_once(database: Database, direct: Proxy) -> None:
    urls = {"DATABASE_URL": direct.to(database.api_url), "DATABASE_URL_UNPOOLED": database.owner_url}
    with (
        live.start("gunicorn", urls | ENV) as server,
        closing(Live("gunicorn", server.base_url)) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        alice = User(service, f"alice-{uuid.uuid4()}")
        assert alice.get("/tasks").status == 200
        direct.delay(DELAY)
        first = pool.submit(_create, alice)
        _wait_for_task(database, str(alice.sub))
        _kill_workers(server.process.pid)
        direct.resume()
        with pytest.raises(httpx.RemoteProtocolError):
            first.result()
        again = _create(alice)
        assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
        assert alice.get("/tasks").json == {"tasks": [again.json], "count": 1, "next_cursor": None}


def _create(user: User) -> Answer:
    return user.post("/tasks", {"text": "once"}, headers={"Idempotency-Key": "once"})
