"""RATE_LIMIT: exact, per user, and per address where the token is refused."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_django import Settings

from tests import live
from tests.client import Live, User
from tests.shapes import assert_error


@pytest.fixture(autouse=True)
def _three_a_minute(settings: Settings) -> None:
    """A storage of its own for each test: the URL tells the counters apart."""
    settings.RATE_LIMIT = "3/minute"
    settings.REDIS_URL = f"memory://{uuid.uuid4()}"


def test_answers_tell_what_is_left(alice: User) -> None:
    answers = [alice.get("/tasks") for _ in range(3)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"user";q=3;w=60'}
    assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers] == [
        f'"user";r={n}' for n in (2, 1, 0)
    ]


def test_request_beyond_the_limit_is_refused(alice: User) -> None:
    for _ in range(3):
        assert alice.get("/tasks").status == 200
    answer = alice.get("/tasks")
    assert_error(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["ratelimit"].startswith('"user";r=0;t=')


def test_users_do_not_share_a_limit(alice: User, bob: User) -> None:
    for _ in range(4):
        alice.get("/tasks")
    assert bob.get("/tasks").status == 200


def test_refused_tokens_are_limited_by_address(nobody: User, alice: User) -> None:
    assert [nobody.get("/tasks").status for _ in range(4)] == [401, 401, 401, 429]
    assert alice.get("/tasks").status == 200, "whoever has a good token does not pay for them"


def test_probes_and_options_are_not_counted(nobody: User, alice: User) -> None:
    for _ in range(5):
        assert nobody.get("/livez").status == 200
        assert alice.call("OPTIONS", "/tasks").status == 204
    assert alice.get("/tasks").status == 200


def test_empty_rate_turns_the_limit_off(alice: User, settings: Settings) -> None:
    settings.RATE_LIMIT = ""
    answers = [alice.get("/tasks") for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    assert all("ratelimit" not in answer.headers for answer in answers)


def test_without_its_redis_the_limit_lets_pass(alice: User, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answers = [alice.get("/tasks") for _ in range(5)]
    assert {answer.status for answer in answers} == {200}


@pytest.mark.django_db
def test_limit_is_exact_under_threads() -> None:
    with live.serve("gunicorn", {"RATE_LIMIT": "50/hour", "WEB_CONCURRENCY": "1"}) as base_url:
        server = Live("gunicorn", base_url)
        alice = User(server, "alice")
        with ThreadPoolExecutor(16) as pool:
            statuses = Counter(pool.map(lambda _: alice.get("/tasks").status, range(120)))
        server.close()
    assert statuses == {200: 50, 429: 70}
