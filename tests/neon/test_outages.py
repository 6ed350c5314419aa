"""The database is away, in every way it can be: a quick 503 where it is needed, life where it is not, and it heals."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg
import pytest

from tests.client import Answer, Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import ANSWER_SECONDS, at_once, heals, lists, timed
from tests.parts import PostgreSQL, Proxy
from tests.shapes import assert_error

PROBE_SECONDS = 0.5  # 0.1 on a quiet machine; far below the seconds that waiting for the database takes


@dataclass(frozen=True)
class Stack:
    """Service → proxy → PostgreSQL."""

    service: Live
    proxy: Proxy
    server: PostgreSQL

    @contextmanager
    def refused(self) -> Iterator[None]:
        self.proxy.refuse()
        self.proxy.cut(reset=True)
        try:
            yield
        finally:
            self.proxy.resume()

    @contextmanager
    def black_holed(self) -> Iterator[None]:
        """Packets vanish, on open connections and on new ones, and nobody says so; those then never arrive."""
        self.proxy.swallow()
        try:
            yield
        finally:
            self.proxy.cut()
            self.proxy.resume()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.server.freeze()
        try:
            yield
        finally:
            self.server.thaw()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()


OUTAGES: list[Callable[[Stack], AbstractContextManager[None]]] = [
    Stack.refused,
    Stack.black_holed,
    Stack.frozen,
    Stack.stopped,
]


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def stack(request: pytest.FixtureRequest, database: Database, direct: Proxy) -> Iterator[Stack]:
    with served(request.param, database, direct.to(database.api_url), WEB_CONCURRENCY="1") as service:
        yield Stack(service, direct, database.server)


def _lost(user: User) -> list[Callable[[], Answer]]:
    """Requests of every kind, more of them than a worker has threads."""
    path = "/tasks/01938f3a-1234-7000-8000-000000000001"
    return [
        *lists(user, 20),
        *[lambda: user.post("/tasks", {"text": "lost"})] * 10,
        *[lambda: user.patch(path, {"text": "lost"})] * 4,
        *[lambda: user.delete(path)] * 4,
    ]


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_outage_is_said_in_time_and_heals(
    outage: Callable[[Stack], AbstractContextManager[None]], stack: Stack
) -> None:
    alice, nobody = User(stack.service, f"alice-{uuid.uuid4()}"), User(stack.service, None)
    at_once(lists(alice, 24))  # so that many connections are open
    with outage(stack):
        for request in at_once(_lost(alice)):
            assert_error(request.answer, 503)
            assert int(request.answer.headers["retry-after"]) >= 1
            assert request.seconds < ANSWER_SECONDS
        for path, status in (("/health", 503), ("/livez", 200), ("/readyz", 503)):
            probe = timed(partial(nobody.get, path))
            assert probe.answer.status == status
            assert probe.seconds < PROBE_SECONDS
    assert heals(alice)
    assert all(task["text"] != "lost" or outage is Stack.frozen for task in alice.get("/tasks").json["tasks"])


@pytest.mark.parametrize("stack", ["gunicorn"], indirect=True)
def test_connections_that_vanished_are_given_up_together(stack: Stack) -> None:
    """Open ones lead nowhere any more, as after the death of a pooler's host; new ones work."""
    alice = User(stack.service, f"alice-{uuid.uuid4()}")
    at_once(lists(alice, 24))
    stack.proxy.abandon()
    assert heals(alice)


@pytest.mark.parametrize("stack", ["gunicorn"], indirect=True)
def test_slow_requests_of_one_user_are_no_outage_for_another(stack: Stack, database: Database) -> None:
    alice, bob = (User(stack.service, f"{name}-{uuid.uuid4()}") for name in ("alice", "bob"))
    path = f"/tasks/{alice.task()['id']}"
    with psycopg.connect(database.owner_url) as session, ThreadPoolExecutor(14) as threads:
        session.execute("SELECT FROM tasks_task WHERE user_id = %s FOR UPDATE", [alice.sub])
        waiting = [threads.submit(alice.patch, path, {"text": "late"}) for _ in range(14)]
        time.sleep(1.5)
        assert {bob.get("/tasks").status for _ in range(10)} == {200}
        assert 200 in {bob.get("/health").status for _ in range(10)}, "within 0.1 s on a quiet machine"
        session.rollback()
        assert {request.result().status for request in waiting} <= {200, 503}


def test_outage_costs_no_files(stack: Stack) -> None:
    """Whoever is turned away leaves no attempt to connect behind."""
    alice = User(stack.service, f"alice-{uuid.uuid4()}")
    with stack.black_holed():
        for _ in range(3):
            at_once(_lost(alice))
        assert stack.proxy.connections < 60
    assert heals(alice)
