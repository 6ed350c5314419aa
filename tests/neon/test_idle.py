"""Idle, the service is silent, so that a compute can sleep: what probes send, counted at the wire."""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.client import Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import at_once, lists
from tests.parts import Proxy, Wire

SERVERS = ["gunicorn", "uvicorn"]
SETTLED_SECONDS = 0.5
IDLE_SECONDS = 6.0  # longer than /readyz keeps an answer, and than any timer of ours


@pytest.fixture(scope="module")
def services(database: Database, direct: Proxy) -> Iterator[dict[str, Live]]:
    """Both servers by name, both through one proxy."""
    url = direct.to(database.api_url)
    with (
        served("gunicorn", database, url, WEB_CONCURRENCY="3") as gunicorn,
        served("uvicorn", database, url, WEB_CONCURRENCY="1") as uvicorn,
    ):
        for service in (gunicorn, uvicorn):
            at_once(lists(User(service, "alice-idle"), 8))
        _settle(direct)
        yield {"gunicorn": gunicorn, "uvicorn": uvicorn}


def _settle(direct: Proxy) -> None:
    """Wait for connections that were begun for one of many requests, and that it did not need in the end."""
    with direct.counting() as wire:
        sent = -1
        while sent != wire.bytes_sent:
            sent = wire.bytes_sent
            time.sleep(SETTLED_SECONDS)


@pytest.fixture(scope="module")
def silence(services: dict[str, Live], direct: Proxy) -> Wire:
    """What both send after their answers to /readyz, while nobody asks."""
    for service in services.values():
        User(service, None).get("/readyz")
    with direct.counting() as wire:
        time.sleep(IDLE_SECONDS)
    return wire


def test_nothing_is_sent_while_nobody_asks(silence: Wire) -> None:
    assert (silence.bytes_sent, silence.connections_opened) == (0, 0)


@pytest.mark.parametrize("server", SERVERS)
def test_liveness_sends_nothing(server: str, services: dict[str, Live], direct: Proxy) -> None:
    with direct.counting() as wire:
        for _ in range(20):
            assert User(services[server], None).get("/livez").status == 200
    assert (wire.statements, wire.bytes_sent, wire.connections_opened) == ([], 0, 0)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("server", SERVERS)
def test_readiness_asks_once_in_five_seconds(server: str, services: dict[str, Live], direct: Proxy) -> None:
    """After those of the silence, and all workers together: each connection may meet another one."""
    nobody = User(services[server], None)
    with direct.counting() as wire:
        while nobody.get("/readyz").status != 200:  # it does not wait for a slow answer, but takes it when it is there
            time.sleep(0.05)
        assert {timed.answer.status for timed in at_once([partial(nobody.get, "/readyz")] * 20)} == {200}
    assert wire.statements == ["SET LOCAL app.user_id = '';SELECT 1"]
