"""Writers of one user take turns, so that revisions are in the order of commits; writers of others go on."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from psycopg.errors import LockNotAvailable

from config.postgresql.row_security import Cursor, acting_as
from tasks.models import Task
from tasks.turns import take, writing_for
from tests import live

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

INSERT = "INSERT INTO tasks_task (id, user_id, text) VALUES (gen_random_uuid(), %s, 'a') RETURNING id, revision"
UPDATE = "UPDATE tasks_task SET text = text || 'b' WHERE user_id = %s RETURNING revision"
DELETE = "DELETE FROM tasks_task WHERE user_id = %s"


@contextmanager
def _session(role: str = "DATABASE_URL") -> Iterator[psycopg.Connection[Any]]:
    """A session that gives up as soon as it would have to wait; its transactions begin by themselves."""
    factory = Cursor if role == "DATABASE_URL" else psycopg.Cursor
    with psycopg.connect(live.database_urls()[role], cursor_factory=factory) as session:
        session.execute("SET lock_timeout = '50ms'")
        session.commit()
        yield session
        session.rollback()


def _users(number: int = 2, *, sharing: bool) -> list[str]:
    """Users of whom an operator's turn is the same, or another."""
    prefix = uuid.uuid4()
    found: dict[int, list[str]] = {}
    with connections["operator"].cursor() as cursor:
        for n in count():
            user = f"user-{prefix}-{n}"
            cursor.execute("SELECT hashtext(%s) & 2047", [user])
            (turn,) = cursor.fetchone()
            found.setdefault(turn, []).append(user)
            if sharing and len(found[turn]) == number:
                return found[turn]
            if not sharing and len(found) == number:
                return [users[0] for users in found.values()]
    raise AssertionError


def _write(session: psycopg.Connection[Any], user: str, statement: str = INSERT) -> None:
    with acting_as(user):
        session.execute(statement, [user])


@pytest.mark.parametrize("statement", [INSERT, UPDATE, DELETE], ids=["insert", "update", "delete"])
def test_writers_of_one_user_wait_for_each_other(statement: str) -> None:
    """Also where they write different tasks: a later revision must not be seen before an earlier one."""
    (alice,) = _users(1, sharing=True)
    with _session() as first, _session() as second:
        _write(first, alice)
        with pytest.raises(LockNotAvailable):
            _write(second, alice, statement)


@pytest.mark.parametrize("sharing", [False, True])
def test_users_never_wait_for_each_other(sharing: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    alice, bob = _users(sharing=sharing)
    with _session() as first, _session() as second:
        for statement in (INSERT, UPDATE, DELETE):
            _write(first, alice, statement)
            _write(second, bob, statement)


def test_operator_and_user_wait_for_each_other() -> None:
    alice, bob = _users(sharing=False)
    with _session("DATABASE_URL_UNPOOLED") as operator, _session() as api:
        operator.execute(INSERT, [alice])
        _write(api, bob)
        api.commit()
        with pytest.raises(LockNotAvailable):
            _write(api, alice)
        api.rollback()
        operator.commit()
        _write(api, alice)
        with pytest.raises(LockNotAvailable):
            operator.execute(INSERT, [alice])


def test_operator_who_says_for_whom_keeps_nobody_else_waiting() -> None:
    alice, bob = _users(sharing=True)
    with _session() as api, writing_for(alice):
        Task.objects.using("operator").add(user_id=alice, text="a")
        _write(api, bob)
        with pytest.raises(LockNotAvailable):
            _write(api, alice)


def test_operator_who_takes_the_turn_first_locks_no_row_meanwhile() -> None:
    """Else the user's statement, whose turn it is, would wait for the row, and the operator for the turn."""
    (alice,) = _users(1, sharing=True)
    with _session() as api, connections["operator"].cursor() as cursor:
        _write(api, alice)
        api.commit()
        _write(api, alice, UPDATE)
        cursor.execute("SET LOCAL lock_timeout = '50ms'; SAVEPOINT before_turn")
        with pytest.raises(Exception, match="lock timeout"):
            take(Task.objects.using("operator").owned_by(alice))
        cursor.execute("ROLLBACK TO SAVEPOINT before_turn")
        with acting_as(alice):
            assert api.execute(UPDATE, [alice]).rowcount == 1


def test_sixteen_writers_of_one_user_do_not_lock_up() -> None:
    """Whatever rows they write, in whatever order, in one statement or in transactions of many."""
    (alice,) = _users(1, sharing=True)
    with _session() as api:
        for _ in range(8):
            _write(api, alice)
        api.commit()

    def write(writer: int) -> list[int]:
        order = "DESC" if writer % 2 else "ASC"
        found = f"SELECT id FROM tasks_task WHERE user_id = %s ORDER BY id {order}"
        revisions: list[int] = []
        with _session() as session, acting_as(alice):
            session.execute("SET lock_timeout = '20s'")
            session.commit()
            for _ in range(5):
                for (task,) in session.execute(found, [alice]).fetchall():
                    one = f"{UPDATE.partition(' RETURNING')[0]} AND id = %s RETURNING revision"
                    revisions += [revision for (revision,) in session.execute(one, [alice, task])]
                session.commit()
        return revisions

    with ThreadPoolExecutor(16) as pool:
        written = [revision for revisions in pool.map(write, range(16)) for revision in revisions]
    assert len(written) == len(set(written)) == 16 * 5 * 8


def test_rollback_leaves_nothing() -> None:
    (alice,) = _users(1, sharing=True)
    with _session() as api, acting_as(alice):
        _write(api, alice)
        api.commit()
        api.execute(DELETE, [alice])
        api.rollback()
        assert api.execute("SELECT count(*) FROM tasks_tombstone").fetchone() == (0,)


def test_erasure_command_waits_for_the_turn_only() -> None:
    alice, bob = _users(sharing=True)
    with _session() as api:
        _write(api, bob)
        call_command("erase_user", alice, "--yes", "--json")
