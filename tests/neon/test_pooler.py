"""Through PgBouncer in transaction mode, with fewer connections to PostgreSQL than it has clients."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest

from config.postgresql import prepared
from config.postgresql.connection import Connection, connect
from config.postgresql.row_security import Cursor, acting_as, set_user
from tests.client import User
from tests.neon.conftest import Database, served
from tests.neon.load import at_once, lists
from tests.parts import PgBouncer, Proxy

THREADS, STATEMENTS = 12, 300  # STATEMENTS=10000 has been run by hand


def _bound(session: Connection, statement: str) -> set[str]:
    return {user for (user,) in session.execute(statement)}


def _prepared(session: Connection, statement: str) -> set[str]:
    result = prepared.ask(session, set_user(), (statement, ()))
    if result is None:
        return _bound(session, statement)
    return {(result.get_value(number, 0) or b"").decode() for number in range(result.ntuples)}


@pytest.mark.parametrize("run", [_bound, _prepared])
def test_no_statement_without_a_filter_sees_foreign_rows(
    database: Database,
    pgbouncer: PgBouncer,
    run: Callable[[Connection, str], set[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every thread is another user at each statement, and every third statement is nobody's."""
    monkeypatch.setattr(prepared, "_given_up", threading.Event())
    users = [f"pooled-{number}" for number in range(THREADS)]
    url = pgbouncer.to(database.api_url)

    def work(thread: int) -> list[tuple[str | None, set[str]]]:
        seen: list[tuple[str | None, set[str]]] = []
        with closing(connect(conninfo=url, autocommit=True, cursor_factory=Cursor, prepare_threshold=None)) as session:
            for turn in range(STATEMENTS):
                user = users[(thread + turn) % THREADS]
                if turn % 3 == 2:
                    seen.append((None, run(session, "SELECT user_id FROM tasks_task")))
                    continue
                with acting_as(user):
                    if turn % 30 == 0:
                        session.execute(
                            "INSERT INTO tasks_task (id, user_id, text) VALUES (gen_random_uuid(), %s, 'a')", [user]
                        )
                    seen.append((user, run(session, "SELECT user_id FROM tasks_task")))
        return seen

    with ThreadPoolExecutor(THREADS) as pool:
        seen = [each for thread in pool.map(work, range(THREADS)) for each in thread]
    assert len(seen) == THREADS * STATEMENTS
    assert [(user, rows) for user, rows in seen if not rows <= {user}] == []
    assert any(rows for _, rows in seen)
    assert prepared._given_up.is_set() == (run is _prepared and not pgbouncer.keeps_statements)


def test_many_clients_share_few_connections(database: Database, pgbouncer: PgBouncer) -> None:
    url = pgbouncer.to(database.api_url)
    with (
        served("gunicorn", database, url, WEB_CONCURRENCY="2") as gunicorn,
        served("uvicorn", database, url, WEB_CONCURRENCY="1") as uvicorn,
    ):
        users = [User(service, f"alice-{uuid.uuid4()}") for service in (gunicorn, uvicorn)]
        tasks = [partial(user.post, "/tasks", {"text": "Pooled"}) for user in users] * 10
        reads = [each for user in users for each in lists(user, 10)]
        assert {timed.answer.status for timed in at_once(tasks + reads)} == {200, 201}
        assert [user.get("/tasks").json["count"] for user in users] == [10, 10]


def test_uvicorn_leaks_no_sessions(database: Database, direct: Proxy) -> None:
    """Each request has a thread of its own there; the sessions stay the pool's."""
    with served("uvicorn", database, direct.to(database.api_url), WEB_CONCURRENCY="1") as service:
        alice = User(service, "alice-sessions")
        for _ in range(5):
            at_once(lists(alice, 30))
        assert 1 <= direct.connections <= 8
