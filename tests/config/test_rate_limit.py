"""RATE_LIMIT: exact, per user, and per address where the token is refused."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import http_sf
import pytest
from pytest_django import Settings

from config import rate_limit
from config.rate import Rate
from tests import live
from tests.authjwt import forge
from tests.authjwt.configuration import settings_for
from tests.client import Answer, Live, User
from tests.shapes import assert_error


@pytest.fixture(autouse=True)
def _three_a_minute(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With counters of its own for each test."""
    settings.RATE_LIMIT, settings.REDIS_URL = "3/minute", None
    monkeypatch.setattr(rate_limit, "_limits", {})


def _items(answer: Answer, name: str) -> list[tuple[str, dict[str, Any]]]:
    """A RateLimit field as a client reads it: a List of Structured Fields (RFC 9651)."""
    parsed: Any = http_sf.parse(answer.headers[name].encode(), tltype="list")
    return [(policy, dict(parameters)) for policy, parameters in parsed]


@pytest.mark.parametrize(
    ("written", "requests", "seconds"),
    [
        ("600/minute", 600, 60),
        ("5 / second", 5, 1),
        ("1/hour", 1, 3_600),
        ("1000 per day", 1_000, 86_400),
        ("10 per 15 minutes", 10, 900),
        (" 7/2 HOURS ", 7, 7_200),
    ],
)
def test_rates_are_read(written: str, requests: int, seconds: int) -> None:
    assert Rate.parse(written) == (requests, seconds)


def test_answers_tell_what_is_left(alice: User) -> None:
    for remaining in (2, 1, 0):
        answer = alice.get("/tasks")
        assert _items(answer, "ratelimit-policy") == [("user", {"q": 3, "w": 60})]
        ((policy, left),) = _items(answer, "ratelimit")
        assert (policy, left["r"]) == ("user", remaining)
        assert 59 <= left["t"] <= 60


def test_request_beyond_the_limit_is_refused(alice: User) -> None:
    for _ in range(3):
        assert alice.get("/tasks").status == 200
    answer = alice.get("/tasks")
    assert_error(answer, 429)
    assert _items(answer, "ratelimit-policy") == [("user", {"q": 3, "w": 60})]
    ((policy, left),) = _items(answer, "ratelimit")
    assert (policy, left["r"]) == ("user", 0)
    assert 1 <= left["t"] <= int(answer.headers["retry-after"]) <= 60, "not earlier than the window ends"


def test_refused_token_is_told_the_limit_of_its_address(nobody: User) -> None:
    answer = nobody.get("/tasks")
    assert_error(answer, 401)
    assert _items(answer, "ratelimit-policy") == [("address", {"q": 3, "w": 60})]
    assert _items(answer, "ratelimit")[0][1]["r"] == 2


def test_errors_behind_authentication_count_and_tell(alice: User) -> None:
    answers = [alice.post("/tasks", {}), alice.get("/tasks/nope"), alice.call("POST", "/tasks", content=b"x")]
    assert [answer.status for answer in answers] == [422, 422, 415]
    assert [_items(answer, "ratelimit")[0][1]["r"] for answer in answers] == [2, 1, 0]


def test_users_do_not_share_a_limit(alice: User, bob: User) -> None:
    for _ in range(4):
        alice.get("/tasks")
    assert bob.get("/tasks").status == 200


def test_refused_tokens_are_limited_by_address(nobody: User, alice: User) -> None:
    assert [nobody.get("/tasks").status for _ in range(4)] == [401, 401, 401, 429]
    assert alice.get("/tasks").status == 200, "whoever has a good token does not pay for them"


def test_address_is_told_apart_behind_a_trusted_proxy(nobody: User, settings: Settings) -> None:
    settings.TRUSTED_PROXY_HOPS = 1
    for client, status in [("203.0.113.1", 401)] * 3 + [("203.0.113.1", 429), ("203.0.113.2", 401)]:
        assert nobody.get("/tasks", headers={"X-Forwarded-For": f"6.6.6.6, {client}"}).status == status


def test_unknown_signing_keys_are_not_the_callers_fault(nobody: User, settings: Settings) -> None:
    before = settings.AUTHJWT
    settings.AUTHJWT = settings_for("jwks", "http://127.0.0.1:1/jwks")
    headers = {"Authorization": f"Bearer {forge.token('EdDSA')}"}
    assert [nobody.get("/tasks", headers=headers).status for _ in range(4)] == [503] * 4
    settings.AUTHJWT = before
    assert nobody.get("/tasks").status == 401


def test_probes_and_options_are_not_counted(nobody: User, alice: User) -> None:
    for _ in range(5):
        assert all("ratelimit" not in nobody.get(path).headers for path in ("/livez", "/readyz", "/health", "/docs"))
        assert nobody.call("OPTIONS", "/tasks").status == 204
        assert alice.call("OPTIONS", "/tasks").status == 204
    assert _items(alice.get("/tasks"), "ratelimit")[0][1]["r"] == 2
    assert _items(nobody.get("/tasks"), "ratelimit")[0][1]["r"] == 2


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
