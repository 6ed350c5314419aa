"""RATE_LIMIT over the workers of a live gunicorn that share a real Redis, and what becomes of it when Redis is away."""

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from config.windows import PAUSE
from tests import live
from tests.client import Live, User
from tests.parts import Redis

pytestmark = pytest.mark.django_db
LIMIT = 50


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture(scope="module")
def server(redis: Redis, django_db_setup: None) -> Iterator[Live]:  # noqa: ARG001 (needs the test database)
    env = {"RATE_LIMIT": f"{LIMIT}/hour", "REDIS_URL": redis.url, "WEB_CONCURRENCY": "2"}
    with live.serve("gunicorn", env) as base_url:
        client = Live("gunicorn", base_url)
        yield client
        client.close()


@pytest.fixture
def alice(server: Live) -> User:
    return User(server, f"alice-{uuid.uuid4()}")


def _many(user: User, count: int, **headers: str) -> Counter[int]:
    def get(n: int) -> int:
        return user.get("/tasks", headers={name: value.format(n=n) for name, value in headers.items()}).status

    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(get, range(count)))


def test_limit_is_exact_over_threads_and_workers(alice: User) -> None:
    assert _many(alice, 120) == {200: LIMIT, 429: 70}


def test_address_cannot_be_chosen_by_a_header(server: Live) -> None:
    headers = {"X-Forwarded-For": "203.0.113.{n}", "Forwarded": "for=203.0.113.{n}", "X-Real-IP": "203.0.113.{n}"}
    assert _many(User(server, None), 120, **headers) == {401: LIMIT, 429: 70}


def test_redis_that_hangs_lets_pass_without_a_wait(alice: User, redis: Redis) -> None:
    alice.get("/tasks")
    with redis.frozen():
        started = time.monotonic()
        assert {alice.get("/tasks").status for _ in range(LIMIT + 10)} == {200}
        assert time.monotonic() - started < 4, "one timeout for each request would make 6 s of it"
    time.sleep(PAUSE + 0.5)
    bob = User(alice.transport, f"bob-{uuid.uuid4()}")
    assert _many(bob, 120) == {200: LIMIT, 429: 70}, "each worker has noticed that it is back"


def test_redis_that_dies_in_the_middle_lets_pass(alice: User, redis: Redis) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(alice.get, "/tasks") for _ in range(LIMIT - 20)]
        answers[5].result()
        redis.kill()
        answers += [pool.submit(alice.get, "/tasks") for _ in range(LIMIT)]
        assert {answer.result().status for answer in answers} == {200}
    redis.start()
    time.sleep(PAUSE + 0.5)
    assert _many(alice, 120) == {200: LIMIT, 429: 70}, "it has forgotten what it counted, and counts"
