"""A real Better Auth signs the tokens, a live service of ours judges them."""

import base64
import hashlib
import hmac
import json
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Event
from typing import Literal
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests import live, npm
from tests.better_auth.better_auth import SECRET, Algorithm, BetterAuth, Session, send, sign_with_jose
from tests.client import Answer

# pytest-django makes its database only if a collected test is marked so; the services would be given the real one.
pytestmark = pytest.mark.django_db

Mode = Literal["secret", "jwks", "both"]
MODES: tuple[Mode, ...] = ("secret", "jwks", "both")

RECOVERY_SECONDS = 15.0
THREADS, ROTATIONS, SECONDS_BETWEEN_ROTATIONS = 8, 3, 0.75


@pytest.fixture(scope="session", autouse=True)
def _needs(request: pytest.FixtureRequest) -> None:
    """Skip what is in this module where Node is missing, before a database is made for it."""
    npm.node()
    request.getfixturevalue("django_db_setup")  # the services' database


@pytest.fixture(scope="session")
def better_auth() -> Iterator[BetterAuth]:
    """Start a Better Auth with its defaults. Do not stop this one: the service would back off for the next test too."""
    with new_better_auth() as started:
        yield started


@pytest.fixture(scope="session")
def service(better_auth: BetterAuth) -> Iterator[Callable[[Mode], str]]:
    """Give the base URL of a service that trusts `better_auth`, by mode; each is started when first asked for."""
    with ExitStack() as stack:
        yield cache(lambda mode: stack.enter_context(new_service(better_auth, mode, WEB_CONCURRENCY="2")))


@pytest.fixture(scope="session")
def alice(better_auth: BetterAuth) -> Session:
    """Sign a user up."""
    return better_auth.sign_up("alice@example.com", name="Alice")


@pytest.fixture(scope="session")
def bob(better_auth: BetterAuth) -> Session:
    """Sign another one up, who must not see Alice's tasks."""
    return better_auth.sign_up("bob@example.com", name="Bob")


@contextmanager
def new_better_auth(
    *,
    algorithm: Algorithm = "EdDSA",
    audience: list[str] | None = None,
    session_cookie_keys: Literal["secret", "jwks"] = "secret",
) -> Iterator[BetterAuth]:
    """Start a Better Auth on a database of its own, dropped at the end.

    The service is told nothing of its algorithm; between them, the tests below have all five.
    """
    postgresql = os.environ["DATABASE_URL_UNPOOLED"]
    name = f"better_auth_{secrets.token_hex(4)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            with BetterAuth(
                urlsplit(postgresql)._replace(path=f"/{name}").geturl(),
                algorithm=algorithm,
                audience=audience,
                session_cookie_keys=session_cookie_keys,
            ) as better_auth:
                yield better_auth
                assert {key["alg"] for key in better_auth.jwks()} == {algorithm}
        finally:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def new_service(better_auth: BetterAuth, mode: Mode = "jwks", **environment: str) -> Iterator[str]:
    """Start a service that trusts `better_auth`; yields its base URL. Variables set to "" count as unset."""
    trust = {
        "BETTER_AUTH_JWT_MODE": mode,
        "BETTER_AUTH_URL": "" if mode == "secret" else better_auth.url,
        "BETTER_AUTH_SECRET": "" if mode == "jwks" else SECRET,
        "BETTER_AUTH_SECRETS": "",
        "BETTER_AUTH_JWKS_URL": "",
        "BETTER_AUTH_ISSUER": "",
        "BETTER_AUTH_AUDIENCE": "",
        "RATE_LIMIT": "",  # the traffic below is more than one user may send
        "WEB_CONCURRENCY": "1",  # each worker process has to see a key for itself
    }
    with live.serve("gunicorn", trust | environment) as base_url:
        yield base_url


def list_tasks(base_url: str, token: str) -> Answer:
    """Send the cheapest request that needs a token."""
    return send("GET", f"{base_url}/tasks", token=token)


def key_id(token: str) -> str:
    """Return the `kid` of a token that the JWT plugin signed."""
    return str(json.loads(_decode(token.partition(".")[0]))["kid"])


def has_good_hs256_signature(token: str) -> bool:
    """Tell whether the secret that Better Auth and the service share made the signature."""
    signed, _, signature = token.rpartition(".")
    return hmac.compare_digest(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256), _decode(signature))


def _decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


# Tokens that are taken


def test_token_for_several_audiences_is_accepted() -> None:
    """`aud` is a list where Better Auth is set up so; one of them has to be ours."""
    audiences = ["https://mail.example", "https://tasks.example"]
    with (
        new_better_auth(algorithm="ES256", audience=audiences) as better_auth,
        new_service(better_auth, BETTER_AUTH_AUDIENCE="https://tasks.example") as base_url,
    ):
        assert list_tasks(base_url, better_auth.sign_up("alice@example.com").jwt()).status == 200


@pytest.mark.parametrize(("mode", "status"), [("secret", 401), ("jwks", 200), ("both", 200)])
def test_token_of_the_jwt_plugin_by_mode(
    service: Callable[[Mode], str], alice: Session, mode: Mode, status: int
) -> None:
    """A service that knows the secret only has no key for it."""
    assert list_tasks(service(mode), alice.jwt()).status == status


@pytest.mark.parametrize(("mode", "status"), [("secret", 200), ("jwks", 401), ("both", 200)])
def test_hs256_token_of_a_route_handler_by_mode(service: Callable[[Mode], str], mode: Mode, status: int) -> None:
    """Applications that sign with BETTER_AUTH_SECRET themselves are served where the secret is trusted."""
    assert list_tasks(service(mode), sign_with_jose("alice")).status == status


def test_users_see_only_their_own_tasks(service: Callable[[Mode], str], alice: Session, bob: Session) -> None:
    """Who owns a task is who Better Auth says signed in."""
    base_url = service("jwks")
    created = send("POST", f"{base_url}/tasks", token=alice.jwt(), json_body={"text": "Buy groceries"})
    task = created.json
    assert (created.status, task["user_id"]) == (201, alice.user_id)
    assert list_tasks(base_url, alice.jwt()).json["tasks"] == [task]
    assert list_tasks(base_url, bob.jwt()).json["tasks"] == []
    assert send("GET", f"{base_url}/tasks/{task['id']}", token=bob.jwt()).status == 404
    assert send("DELETE", f"{base_url}/tasks/{task['id']}", token=bob.jwt()).status == 404
    assert send("DELETE", f"{base_url}/tasks/{task['id']}", token=alice.jwt()).status == 204


# Whatever else the same Better Auth hands out


@pytest.mark.parametrize("mode", MODES)
def test_session_cookie_is_refused(service: Callable[[Mode], str], alice: Session, mode: Mode) -> None:
    """It is signed with the shared secret, and yet it is for Better Auth alone."""
    assert has_good_hs256_signature(alice.session_data_cookie)
    assert_refused(list_tasks(service(mode), alice.session_data_cookie))


def test_session_cookie_signed_with_the_published_keys_is_refused() -> None:
    """The JWT plugin can sign the session cookie with the very keys of its tokens: `sub`, `iss` and `kid` are good."""
    with (
        new_better_auth(algorithm="ES512", session_cookie_keys="jwks") as better_auth,
        new_service(better_auth) as base_url,
    ):
        alice = better_auth.sign_up("alice@example.com")
        assert key_id(alice.session_data_cookie) == key_id(alice.jwt())
        assert_refused(list_tasks(base_url, alice.session_data_cookie))


@pytest.mark.parametrize("mode", MODES)
def test_email_verification_token_is_refused(
    service: Callable[[Mode], str], better_auth: BetterAuth, alice: Session, mode: Mode
) -> None:
    """It too is signed with the shared secret, and it travels in e-mails."""
    token = better_auth.verification_token(alice.email)
    assert has_good_hs256_signature(token)
    assert_refused(list_tasks(service(mode), token))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("signed", [True, False], ids=["set-auth-token", "token-of-the-body"])
def test_opaque_session_token_is_refused_with_a_hint(
    service: Callable[[Mode], str], alice: Session, mode: Mode, *, signed: bool
) -> None:
    """Sending it is the commonest mistake, so the answer says where the right token is to be had."""
    token = alice.opaque_token if signed else alice.opaque_token.partition(".")[0]
    answer = list_tasks(service(mode), token)
    assert_refused(answer)
    assert "/api/auth/token" in answer.headers["WWW-Authenticate"]


def assert_refused(answer: Answer) -> None:
    """Check that the answer is 401, says why, and is not kept by any cache."""
    assert (answer.status, answer.json["error"]) == (401, "UNAUTHORIZED")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert answer.headers["Cache-Control"] == "no-store"


# Rotation and outages


def test_rotation_under_traffic_is_not_noticed(service: Callable[[Mode], str], alice: Session) -> None:
    """New keys are used in the instant they are published, old tokens live on: no request may fail for it."""
    base_url, tokens, stopped = service("jwks"), [alice.jwt()], Event()

    def traffic() -> Counter[tuple[str, int]]:
        answers: Counter[tuple[str, int]] = Counter()
        while not stopped.is_set():
            token = random.choice(tokens)  # noqa: S311 (which request comes next is no secret)
            answers[key_id(token), list_tasks(base_url, token).status] += 1
        return answers

    with ThreadPoolExecutor(THREADS) as threads:
        running = [threads.submit(traffic) for _ in range(THREADS)]
        try:
            for _ in range(ROTATIONS):
                time.sleep(SECONDS_BETWEEN_ROTATIONS)
                alice.better_auth.rotate()
                tokens.append(alice.jwt())
            time.sleep(SECONDS_BETWEEN_ROTATIONS)
        finally:
            stopped.set()
        answers = sum((future.result() for future in running), Counter[tuple[str, int]]())

    assert len({key_id(token) for token in tokens}) == 1 + ROTATIONS
    assert set(answers) == {(key_id(token), 200) for token in tokens}, answers


def test_outage_is_not_noticed_where_the_key_is_known() -> None:
    """A token that cannot be judged meanwhile is neither good nor bad: 503 until the keys can be asked for."""
    with new_better_auth(algorithm="RS256") as better_auth, new_service(better_auth) as base_url:
        alice = better_auth.sign_up("alice@example.com")
        known = alice.jwt()
        assert list_tasks(base_url, known).status == 200
        better_auth.rotate()
        unknown = alice.jwt()
        better_auth.stop()
        assert_try_again(list_tasks(base_url, unknown))
        assert {list_tasks(base_url, known).status for _ in range(20)} == {200}
        better_auth.start()
        assert list_tasks(base_url, known).status == 200
        assert_recovers(base_url, unknown)
        assert list_tasks(base_url, alice.jwt()).status == 200


def test_service_started_during_an_outage_recovers_by_itself() -> None:
    """It starts without the keys, answers 503 where it needs them, and fetches them when it can."""
    with new_better_auth(algorithm="PS256") as better_auth:
        alice = better_auth.sign_up("alice@example.com")
        token = alice.jwt()
        better_auth.stop()
        with new_service(better_auth) as base_url:
            assert_try_again(list_tasks(base_url, token))
            assert_refused(list_tasks(base_url, alice.opaque_token))  # no key could make it good
            better_auth.start()
            assert_recovers(base_url, token)


def assert_try_again(answer: Answer) -> None:
    """Check that the answer is 503 and says when to ask again."""
    assert (answer.status, answer.json["error"]) == (503, "SERVICE_UNAVAILABLE")
    assert 1 <= int(answer.headers["Retry-After"]) <= RECOVERY_SECONDS


def assert_recovers(base_url: str, token: str) -> None:
    """Check that a client that asks again as it is told to is served before long, and never called unauthorized."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while (answer := list_tasks(base_url, token)).status != 200:
        assert_try_again(answer)
        assert time.monotonic() < deadline, "did not recover"
        time.sleep(int(answer.headers["Retry-After"]))
