"""Whoever waits for a connection in vain takes nothing with them: neither the connection nor a place in the queue."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connections
from psycopg.conninfo import conninfo_to_dict

from config.postgresql import connection as postgresql
from config.postgresql import patience
from config.postgresql.base import DatabaseWrapper
from config.postgresql.connection import Connection, connect
from tests import live
from tests.parts import Address, Proxy

pytestmark = pytest.mark.django_db(databases=["default", "operator"])


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of the test database."""
    at = connections["default"].settings_dict
    with Proxy(Address(at["HOST"], int(at["PORT"]))) as proxy:
        yield proxy


@contextmanager
def _late(proxy: Proxy) -> Iterator[dict[str, Any]]:
    """Leave behind a connection that is made once nobody waits for it; yield the way it leads."""
    way = conninfo_to_dict(proxy.to(live.database_urls()["DATABASE_URL"]))
    proxy.swallow()
    with patience.at_most(0.1), pytest.raises(patience.NoAnswer):
        connect(**way)
    proxy.resume()
    deadline = time.monotonic() + 5
    while not any(postgresql._late.values()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    yield way
    assert not any(postgresql._late.values())


def test_connection_that_came_late_is_for_whoever_comes_next(proxy: Proxy) -> None:
    with proxy.counting() as wire, _late(proxy) as way, patience.at_most(4), closing(connect(**way)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert wire.connections_opened == 1


def test_connection_that_came_late_and_broke_is_for_nobody(proxy: Proxy) -> None:
    with proxy.counting() as wire, _late(proxy) as way, patience.at_most(4):
        proxy.cut()
        with closing(connect(**way)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert wire.connections_opened == 2


def test_who_waits_for_the_pool_in_vain_leaves_the_queue() -> None:
    """Until it connects again the pool would keep them, with all that they hold."""
    at = connections["default"].settings_dict
    pool = {"connection_class": Connection, "min_size": 0, "max_size": 1}
    settings = at | {"CONN_MAX_AGE": 0, "OPTIONS": at["OPTIONS"] | {"pool": pool}}
    first, second = DatabaseWrapper(settings, "pooled"), DatabaseWrapper(settings, "pooled")
    with closing(first), closing(second):
        first.ensure_connection()
        with patience.at_most(0.1), pytest.raises(OperationalError):
            second.ensure_connection()
        assert second.pool.get_stats()["requests_waiting"] == 0
        first.close()
        second.ensure_connection()
    first.close_pool()
