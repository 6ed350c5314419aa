"""Live servers whose database is away: a quick 503 where it is needed, and life where it is not."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests import live
from tests.client import Live, User
from tests.shapes import assert_error

pytestmark = pytest.mark.django_db
SERVERS = ["gunicorn", "uvicorn"]


@pytest.fixture(scope="module", params=["refusing", "silent"])
def away(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that refuses connections, or takes them and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listener.listen(64)
        yield f"postgresql://tasks:hunter2@127.0.0.1:{listener.getsockname()[1]}/tasks"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, away: str, django_db_setup: None) -> Iterator[Live]:  # noqa: ARG001
    with live.serve(request.param, {"DATABASE_URL": away, "WEB_CONCURRENCY": "1"}) as base_url:
        client = Live(request.param, base_url)
        yield client
        client.close()


def test_operation_is_unavailable_and_says_when_to_come_back(server: Live) -> None:
    answer = User(server, "alice").get("/tasks")
    assert_error(answer, 503)
    assert int(answer.headers["retry-after"]) >= 1
    assert b"hunter2" not in answer.body
    assert b"127.0.0.1" not in answer.body


def test_bad_token_is_refused_without_the_database(server: Live) -> None:
    assert_error(User(server, None).get("/tasks"), 401)


def test_health_says_so_without_waiting(server: Live) -> None:
    started = time.monotonic()
    answer = User(server, None).get("/health")
    assert time.monotonic() - started < 1, "far below the seconds that connecting takes; 0.1 s on a quiet machine"
    assert_error(answer, 503)
    assert (answer.json["status"], answer.json["database"]) == ("unhealthy", "disconnected")
    assert "version" in answer.json
    assert int(answer.headers["retry-after"]) >= 1


def test_readiness_is_unavailable(server: Live) -> None:
    assert_error(User(server, None).get("/readyz"), 503)


def test_liveness_does_not_care(server: Live) -> None:
    assert User(server, None).get("/livez").status == 200
