"""Whoever waits for a connection in vain takes nothing with them: neither the connection nor a place in the queue."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from psycopg import NotSupportedError
from psycopg.conninfo import conninfo_to_dict

from config.embedded.server import OWNER
from config.postgresql import connection as postgresql
from config.postgresql import patience, retry
from config.postgresql.base import DatabaseWrapper
from config.postgresql.connection import Connection, NotConnected, connect
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


def test_more_attempts_to_connect_than_there_may_be_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = threading.BoundedSemaphore(1)
    monkeypatch.setattr(postgresql, "_attempts", attempts)
    with attempts, patience.at_most(4), pytest.raises(NotConnected, match="as many attempts"):
        connect(**conninfo_to_dict(live.database_urls()["DATABASE_URL"]))


def test_attempt_that_gets_no_thread_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = threading.BoundedSemaphore(1)
    monkeypatch.setattr(postgresql, "_attempts", attempts)
    monkeypatch.setattr(threading.Thread, "start", _no_more_threads)
    with patience.at_most(4), pytest.raises(NotConnected, match="can't start new thread"):
        connect(**conninfo_to_dict(live.database_urls()["DATABASE_URL"]))
    assert attempts.acquire(blocking=False), "its place is another's"


def _no_more_threads(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_notifications_are_waited_for_as_long_as_asked() -> None:
    with closing(connect(conninfo=live.database_urls()["DATABASE_URL"], autocommit=True)) as connection:
        assert list(connection.notifies(timeout=0.01)) == []


def test_connection_that_was_not_asked_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = patience._Crowd()
    crowd._silent = True
    monkeypatch.setattr(patience, "CROWD", 0)
    with closing(connect(conninfo=live.database_urls()["DATABASE_URL"], autocommit=True)) as connection:
        monkeypatch.setattr(patience, "_crowd", crowd)
        with crowd._scouting, patience.at_most(1), pytest.raises(patience.NotAsked):
            connection.execute("SELECT 1")
        assert not connection.closed


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


def test_embedded_server_is_asked_where_it_is_now() -> None:
    """After a restart it has another port, and connections of the pool lead nowhere."""
    at = connections["default"].settings_dict
    pool = {"OPTIONS": at["OPTIONS"] | {"pool": {"min_size": 0, "max_size": 1}}, "CONN_MAX_AGE": 0}
    with closing(DatabaseWrapper(at | pool | {"NAME": "tasks", "EMBEDDED_ROLE": OWNER}, "embedded")) as wrapper:
        assert wrapper.get_connection_params()["user"] == OWNER
        before = wrapper.pool
        assert wrapper.get_connection_params()["port"] == wrapper.settings_dict["PORT"]
        assert wrapper.pool is before
        wrapper.settings_dict["PORT"] = "1"
        assert wrapper.get_connection_params()["port"] != "1"
        assert wrapper.pool is not before
    wrapper.close_pool()


def test_many_results_are_refused_where_each_statement_names_its_user() -> None:
    with connections["default"].cursor() as cursor, pytest.raises(NotSupportedError):
        cursor.cursor.executemany("SELECT %s", [["a"], ["b"]], returning=True)


@pytest.mark.parametrize("repeatable", [True, False])
def test_failure_in_a_transaction_is_not_tried_again(repeatable: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """It is somebody else's, and so is the next attempt."""
    asked = []

    def fail() -> None:
        asked.append(1)
        raise OperationalError("the connection is gone")

    with transaction.atomic("default"), pytest.raises(OperationalError):
        retry.call(fail, repeatable=repeatable)
    assert asked == [1]
