"""The corpus over HTTP: what live servers answer to every credential, and while there are no keys.

Every credential in every mode: test_corpus.py.
"""

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest

from authjwt.refusal import Reason
from config import bounds
from tests.authjwt.configuration import variables
from tests.authjwt.corpus import CASES, Case, Mode
from tests.authjwt.forge import issuer_jwks, token
from tests.authjwt.jwks_server import JWKSServer
from tests.client import Answer
from tests.live import serve
from tests.shapes import assert_error

pytestmark = pytest.mark.django_db

STOPPED_BY_SERVER: Final = {400, 431}
SERVERS: Final[list[tuple[str, Mode]]] = [("gunicorn", "both"), ("uvicorn", "jwks")]
TIMEOUT_SECONDS: Final = 20
RECOVERY_SECONDS: Final = 5

FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""What RFC 9110, section 5.5, lets a field value consist of. Anything else is for the server to refuse, unread."""

CHALLENGE: Final = re.compile(
    r'Bearer realm="tasks"(?:, error="(invalid_request|invalid_token)", error_description="([ !#-\[\]-~]+)")?'
)
SENTENCES: Final = frozenset(reason.value for reason in Reason)

QUOTE: Final = 8
"""Characters in a row that an answer and a credential would only share if one quoted the other."""


class Wire:
    """One kept-alive connection for header values of any bytes, such as httpx refuses to send."""

    def __init__(self, base_url: str) -> None:
        self._connection = HTTPConnection(urlsplit(base_url).netloc, timeout=TIMEOUT_SECONDS)
        self._request_ids = (f"request-{number}" for number in count())

    def get_tasks(self, authorization: str) -> Answer:
        request_id = next(self._request_ids)
        headers = {"Authorization": authorization, "X-Request-ID": request_id}
        self._connection.request("GET", "/tasks", headers=headers)
        response = self._connection.getresponse()
        if response.status not in STOPPED_BY_SERVER:  # which has not read the id
            assert response.headers["X-Request-ID"] == request_id, "the answer to another request"
        return Answer(response.status, httpx.Headers(response.getheaders()), response.read())

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class Service:
    """A live server of ours, and the wire to it."""

    server: str
    mode: Mode
    wire: Wire


Check = Callable[[Case, str, Answer], None]
"""Looks at the answer to a case whose header had this value. Raises AssertionError."""


@contextmanager
def running(server: str, mode: Mode, jwks_url: str) -> Iterator[Service]:
    """Start a service that trusts what the corpus is made for."""
    env = {"WEB_CONCURRENCY": "1", "RATE_LIMIT": "", "LOG_LEVEL": "ERROR"}
    with serve(server, variables(mode, jwks_url) | env) as base_url, closing(Wire(base_url)) as wire:
        yield Service(server, mode, wire)


@pytest.fixture(scope="module", params=SERVERS, ids="-".join)
def service(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[Service]:  # noqa: ARG001 (its database)
    """Start each server, once, while the issuer publishes its keys."""
    server, mode = request.param
    with JWKSServer(issuer_jwks()) as issuer, running(server, mode, issuer.url) as started:
        yield started


def carried() -> Iterator[tuple[Case, str]]:
    """Yield the credentials an HTTP message can carry. One with a line break in it would be another message."""
    for case in CASES:
        authorization = case.build()
        if not {"\r", "\n"} & set(authorization):
            yield case, authorization


def wrong_answers(service: Service, credentials: Iterable[tuple[Case, str]], check: Check) -> dict[str, str]:
    """Send the credentials one after another; tell by id what `check` said of those it did not pass."""
    wrong = {}
    for case, authorization in credentials:
        try:
            check(case, authorization, service.wire.get_tasks(authorization))
        except (AssertionError, HTTPException, OSError) as exc:
            wrong[case.id] = repr(exc)
            service.wire.close()  # which the next request opens again
    return wrong


def test_nearly_every_case_is_sent() -> None:
    assert 0 < len(CASES) - len(list(carried())) <= 4


def test_credential_is_accepted_in_its_modes_only(service: Service) -> None:
    assert wrong_answers(service, carried(), partial(assert_answer, service)) == {}


def assert_answer(service: Service, case: Case, authorization: str, answer: Answer) -> None:
    assert_nothing_quoted(answer, authorization)
    if service.mode in case.accepted:
        assert answer.status == 200
    elif answer.status == 401:
        assert_refused(answer, authorization)
    else:
        assert_stopped_by_server(answer, authorization)


def assert_refused(answer: Answer, authorization: str) -> None:
    """401 in one of our fixed sentences, and an error code unless there was no credential (RFC 6750, section 3.1)."""
    assert_error(answer, 401)
    challenge = CHALLENGE.fullmatch(answer.headers["www-authenticate"])
    assert challenge is not None
    error, description = challenge.groups()
    assert (error is not None) == (authorization.strip().split(" ")[0].lower() == "bearer")
    assert description in {None, answer.json["message"]}
    assert answer.json["message"] in SENTENCES


def assert_stopped_by_server(answer: Answer, authorization: str) -> None:
    """A status of 400 or 431 before us, for good reason and in our shape."""
    assert answer.status in STOPPED_BY_SERVER
    if answer.status == 400:
        assert not FIELD_VALUE.fullmatch(authorization)
    else:
        assert len(authorization) > bounds.FIELD_BYTES - len("Authorization")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json) == {"error", "message"}


def assert_nothing_quoted(answer: Answer, authorization: str) -> None:
    told = b"\n".join([*(value for _, value in answer.headers.raw), answer.body]).decode("latin-1")
    pieces = {told[at : at + QUOTE] for at in range(len(told) - QUOTE + 1)}
    credential = authorization.removeprefix("Bearer ")  # which our challenge says as well
    assert not [piece for piece in pieces if piece in credential]


# While the issuer cannot be reached


@pytest.fixture
def closed_port() -> Iterator[socket.socket]:
    """Hold a port at which nobody listens yet."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held


class Returning(JWKSServer):
    """An issuer that begins to listen at a port it holds."""

    def __init__(self, held: socket.socket) -> None:
        self._held = held
        super().__init__(issuer_jwks())

    def server_bind(self) -> None:
        self.socket.close()
        self.socket = self._held
        self.server_address = self._held.getsockname()


@pytest.fixture
def keyless(closed_port: socket.socket) -> Iterator[Service]:
    """Start a service that needs keys, while its issuer is down."""
    with running("gunicorn", "jwks", f"http://127.0.0.1:{closed_port.getsockname()[1]}/api/auth/jwks") as started:
        yield started


def assert_cannot_be_known(answer: Answer) -> None:
    assert_error(answer, 503)
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_hostile_credential_is_no_better_off_without_keys(keyless: Service) -> None:
    statuses = set()

    def check(case: Case, authorization: str, answer: Answer) -> None:
        statuses.add(answer.status)
        if answer.status == 503:
            assert_cannot_be_known(answer)
            assert_nothing_quoted(answer, authorization)
        else:
            assert_answer(keyless, case, authorization, answer)

    hostile = [(case, authorization) for case, authorization in carried() if keyless.mode not in case.accepted]
    assert wrong_answers(keyless, hostile[::10], check) == {}
    assert statuses >= {401, 503}


def test_good_token_is_accepted_once_the_issuer_is_back(keyless: Service, closed_port: socket.socket) -> None:
    assert_cannot_be_known(keyless.wire.get_tasks(f"Bearer {token('EdDSA')}"))
    with Returning(closed_port):
        give_up_at = time.monotonic() + RECOVERY_SECONDS
        while (answer := keyless.wire.get_tasks(f"Bearer {token('EdDSA')}")).status == 503:
            assert_cannot_be_known(answer)
            assert time.monotonic() < give_up_at
            time.sleep(0.1)
    assert answer.status == 200
