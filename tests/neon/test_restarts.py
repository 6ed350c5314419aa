"""The database restarts, the pooler dies, both nap: whoever asks next does not notice."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.client import Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import ANSWER_SECONDS, at_once, lists, timed
from tests.parts import PgBouncer, PostgreSQL, Proxy


@dataclass(frozen=True)
class Stack:
    """Service → proxy → PgBouncer → PostgreSQL, or without PgBouncer."""

    service: Live
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


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def serving(request: pytest.FixtureRequest) -> str:
    server: str = request.param
    return server


@pytest.fixture(scope="module", params=["direct", "pgbouncer-1.24"])
def stack(request: pytest.FixtureRequest, serving: str, database: Database) -> Iterator[Stack]:
    with ExitStack() as stack:
        pooler = None
        if request.param != "direct":
            pooler = stack.enter_context(PgBouncer(database.api_url, name=request.param))
        proxy = stack.enter_context(Proxy((pooler or database.server).address))
        service = stack.enter_context(served(serving, database, proxy.to(database.api_url), WEB_CONCURRENCY="2"))
        yield Stack(service, proxy, pooler, database.server)


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_interruption_is_not_noticed(interruption: str, stack: Stack) -> None:
    alice = User(stack.service, "alice-restarts")
    task = alice.task(interruption)
    at_once(lists(alice, 24))  # so that many connections are open
    INTERRUPTIONS[interruption](stack)
    for request in at_once([*lists(alice, 12), *[lambda: alice.post("/tasks", {"text": "after"})] * 12]):
        assert request.answer.status in (200, 201), request.answer.body
        assert request.seconds < ANSWER_SECONDS
    assert alice.get(f"/tasks/{task['id']}").json == task
    assert alice.delete(f"/tasks/{task['id']}").status == 204


def test_requests_during_a_restart_wait_for_its_end(stack: Stack) -> None:
    alice = User(stack.service, f"alice-{uuid.uuid4()}")
    over = threading.Event()

    def write() -> int:
        written = 0
        while not over.is_set():
            request = timed(lambda: alice.post("/tasks", {"text": "during"}))
            assert (request.answer.status, request.seconds < ANSWER_SECONDS) == (201, True), request.answer.body
            written += 1
        return written

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write) for _ in range(4)]
        for interrupt in (stack.server.restart, stack.crash, stack.restart_pooler):
            time.sleep(0.3)
            interrupt()
        time.sleep(0.3)
        over.set()
        assert sum(writer.result() for writer in writers) == alice.get("/tasks").json["count"]
