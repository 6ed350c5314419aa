"""Idle, the service is silent, so that a compute can sleep: what probes send, counted at the wire."""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from config import health
from tests.client import Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import at_once, lists
from tests.parts import Proxy

IDLE_SECONDS = 6.0  # longer than /readyz keeps an answer, and than any timer of ours


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def service(request: pytest.FixtureRequest, database: Database, direct: Proxy) -> Iterator[Live]:
    workers = "3" if request.param == "gunicorn" else "1"
    with served(request.param, database, direct.to(database.api_url), WEB_CONCURRENCY=workers) as service:
        at_once(lists(User(service, "alice-idle"), 8))
        yield service


@pytest.mark.usefixtures("service")
def test_nothing_is_sent_while_nobody_asks(direct: Proxy) -> None:
    with direct.counting() as wire:
        time.sleep(IDLE_SECONDS)
    assert (wire.bytes_sent, wire.connections_opened) == (0, 0)


def test_liveness_sends_nothing(service: Live, direct: Proxy) -> None:
    with direct.counting() as wire:
        for _ in range(20):
            assert User(service, None).get("/livez").status == 200
    assert (wire.bytes_sent, wire.connections_opened) == (0, 0)


def test_readiness_asks_once_in_five_seconds(service: Live, direct: Proxy) -> None:
    """All workers together: each connection may meet another one."""
    nobody = User(service, None)
    nobody.get("/readyz")
    time.sleep(health.READY_SECONDS)
    with direct.counting() as wire:
        assert nobody.get("/readyz").status == 200
        assert {timed.answer.status for timed in at_once([partial(nobody.get, "/readyz")] * 20)} == {200}
    assert wire.statements == ["SET LOCAL app.user_id = '';SELECT 1"]
