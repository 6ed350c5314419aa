"""The database is away, in every way it can be: a quick 503 where it is needed, life where it is not, and it heals."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product

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
    """Both services → proxy → PostgreSQL."""

    gunicorn: Live
    uvicorn: Live
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


@pytest.fixture(scope="module")
def stack(database: Database, direct: Proxy) -> Iterator[Stack]:
    url = direct.to(database.api_url)
    with (
        served("gunicorn", database, url, WEB_CONCURRENCY="1") as gunicorn,
        served("uvicorn", database, url, WEB_CONCURRENCY="1") as uvicorn,
    ):
        yield Stack(gunicorn, uvicorn, direct, database.server)


@pytest.fixture
def users(stack: Stack) -> list[User]:
    """One of each service; many connections are open."""
    users = [User(service, f"alice-{uuid.uuid4()}") for service in (stack.gunicorn, stack.uvicorn)]
    for user in users:
        at_once(lists(user, 24))
    return users


def _lost(users: list[User]) -> list[Callable[[], Answer]]:
    """Requests of every kind, more of them than a worker has threads."""
    path = "/tasks/01938f3a-1234-7000-8000-000000000001"
    requests: list[Callable[[], Answer]] = []
    for user in users:
        requests += lists(user, 10)
        requests += [partial(user.post, "/tasks", {"text": "lost"})] * 6
        requests += [partial(user.patch, path, {"text": "lost"})] * 4
        requests += [partial(user.delete, path)] * 4
    return requests


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_outage_is_said_in_time_and_heals(
    outage: Callable[[Stack], AbstractContextManager[None]], stack: Stack, users: list[User]
) -> None:
    with outage(stack):
        for request in at_once(_lost(users)):
            assert_error(request.answer, 503)
            assert int(request.answer.headers["retry-after"]) >= 1
            assert request.seconds < ANSWER_SECONDS
        for user, (path, status) in product(users, {"/health": 503, "/livez": 200, "/readyz": 503}.items()):
            probe = timed(partial(User(user.transport, None).get, path))
            assert probe.answer.status == status
            assert probe.seconds < PROBE_SECONDS
    for user in users:
        assert heals(user)
        assert all(task["text"] != "lost" or outage is Stack.frozen for task in user.get("/tasks").json["tasks"])


def test_connections_that_vanished_are_given_up_together(stack: Stack) -> None:
    """Open ones lead nowhere any more, as after the death of a pooler's host; new ones work."""
    alice = User(stack.gunicorn, f"alice-{uuid.uuid4()}")
    at_once(lists(alice, 24))
    stack.proxy.abandon()
    assert heals(alice)


def test_slow_requests_of_one_user_are_no_outage_for_another(stack: Stack, database: Database) -> None:
    alice, bob = (User(stack.gunicorn, f"{name}-{uuid.uuid4()}") for name in ("alice", "bob"))
    path = f"/tasks/{alice.task()['id']}"
    with psycopg.connect(database.owner_url) as session, ThreadPoolExecutor(14) as threads:
        session.execute("SELECT FROM tasks_task WHERE user_id = %s FOR UPDATE", [alice.sub])
        waiting = [threads.submit(alice.patch, path, {"text": "late"}) for _ in range(14)]
        time.sleep(1.5)
        assert {bob.get("/tasks").status for _ in range(10)} == {200}
        assert 200 in {bob.get("/health").status for _ in range(10)}, "within 0.1 s on a quiet machine"
        session.rollback()
        assert {request.result().status for request in waiting} <= {200, 503}


def test_outage_costs_no_files(stack: Stack, users: list[User]) -> None:
    """Whoever is turned away leaves no attempt to connect behind."""
    with stack.black_holed():
        for _ in range(2):
            at_once(_lost(users))
        assert stack.proxy.connections < 30
    assert all(heals(user) for user in users)
