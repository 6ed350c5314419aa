"""Live servers whose database is away: a quick 503 where it is needed, and life where it is not.

Each server meets each kind of absence in tests/neon/test_outages.py.
"""

import socket
import time
from collections.abc import Iterator

import pytest

from tests import live
from tests.client import Live, User
from tests.shapes import assert_error

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", params=[("gunicorn", "refusing"), ("uvicorn", "silent")], ids="-".join)
def server(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[Live]:  # noqa: ARG001
    """One whose database refuses connections or takes them and says nothing, from its start on."""
    name, database = request.param
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if database == "silent":
            listener.listen(64)
        away = f"postgresql://tasks:hunter2@127.0.0.1:{listener.getsockname()[1]}/tasks"
        with live.serve(name, {"DATABASE_URL": away, "WEB_CONCURRENCY": "1"}) as base_url:
            client = Live(name, base_url)
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
