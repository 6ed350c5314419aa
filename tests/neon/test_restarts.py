"""The database restarts, the pooler dies, both nap: whoever asks next does not notice."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest

from tests.client import Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import ANSWER_SECONDS, at_once, lists, timed
from tests.parts import PgBouncer, PostgreSQL, Proxy


@dataclass(frozen=True)
class Stack:
    """Both services → proxy → PgBouncer → PostgreSQL, or without PgBouncer."""

    services: tuple[Live, Live]
    proxy: Proxy
    pooler: PgBouncer | None
    server: PostgreSQL

    def nap(self) -> None:
        """What a suspended Neon compute is: neither PostgreSQL nor its PgBouncer, and then both again."""
        if self.pooler:
            self.pooler.kill()
        self.server.stop()
        self.server.start()
        self.restart_pooler()

    def restart_pooler(self) -> None:
        if self.pooler:
            self.pooler.kill()
            self.pooler.start()

    def crash(self) -> None:
        self.server.kill()
        self.server.start()


INTERRUPTIONS: dict[str, Callable[[Stack], None]] = {
    "database restarts": lambda stack: stack.server.restart("fast"),
    "database restarts at once": lambda stack: stack.server.restart("immediate"),
    "database is killed": Stack.crash,
    "pooler is killed": Stack.restart_pooler,
    "both nap": Stack.nap,
    "connections end": lambda stack: stack.proxy.cut(),
    "connections are reset": lambda stack: stack.proxy.cut(reset=True),
}


@pytest.fixture(scope="module", params=["direct", "pgbouncer-1.24"])
def stack(request: pytest.FixtureRequest, database: Database) -> Iterator[Stack]:
    with ExitStack() as stack:
        pooler = None
        if request.param != "direct":
            pooler = stack.enter_context(PgBouncer(database.api_url, name=request.param))
        proxy = stack.enter_context(Proxy((pooler or database.server).address))
        url = proxy.to(database.api_url)
        gunicorn = stack.enter_context(served("gunicorn", database, url, WEB_CONCURRENCY="2"))
        uvicorn = stack.enter_context(served("uvicorn", database, url, WEB_CONCURRENCY="2"))
        yield Stack((gunicorn, uvicorn), proxy, pooler, database.server)


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_interruption_is_not_noticed(interruption: str, stack: Stack) -> None:
    users = [User(service, f"alice-{uuid.uuid4()}") for service in stack.services]
    tasks = [user.task(interruption) for user in users]
    at_once([each for user in users for each in lists(user, 24)])  # so that many connections are open
    INTERRUPTIONS[interruption](stack)
    posts = [partial(user.post, "/tasks", {"text": "after"}) for user in users] * 6
    for request in at_once([*(each for user in users for each in lists(user, 6)), *posts]):
        assert request.answer.status in (200, 201), request.answer.body
        assert request.seconds < ANSWER_SECONDS
    for user, task in zip(users, tasks, strict=True):
        assert user.get("/tasks").json["count"] == 7
        assert user.get(f"/tasks/{task['id']}").json == task
        assert user.delete(f"/tasks/{task['id']}").status == 204


def test_requests_during_a_restart_wait_for_its_end(stack: Stack) -> None:
    users = [User(service, f"alice-{uuid.uuid4()}") for service in stack.services]
    over = threading.Event()

    def write(user: User) -> int:
        written = 0
        while not over.is_set():
            request = timed(lambda: user.post("/tasks", {"text": "during"}))
            assert (request.answer.status, request.seconds < ANSWER_SECONDS) == (201, True), request.answer.body
            written += 1
        return written

    with ThreadPoolExecutor(4) as pool:
        writers = [[pool.submit(write, user) for _ in range(2)] for user in users]
        for interrupt in (stack.server.restart, stack.crash, stack.restart_pooler):
            time.sleep(0.3)
            interrupt()
        time.sleep(0.3)
        over.set()
        for user, theirs in zip(users, writers, strict=True):
            assert sum(writer.result() for writer in theirs) == user.get("/tasks").json["count"]
