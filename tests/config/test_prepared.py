"""Statements that the server keeps: parsed once, and never in the way of an answer."""

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError

from config.postgresql import prepared
from config.postgresql.row_security import acting_as

pytestmark = pytest.mark.django_db

TASK = "INSERT INTO tasks_task (id, user_id, text) VALUES (gen_random_uuid(), %s, %s) RETURNING text"
ALICE = "alice-prepared"


@pytest.fixture(autouse=True)
def _not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_given_up", threading.Event())


def _kept(database: Any) -> dict[str, int]:
    """How often the server ran each of the statements it keeps."""
    database.ensure_connection()
    rows = database.connection.pgconn.exec_(
        b"SELECT statement, generic_plans + custom_plans FROM pg_prepared_statements"
    )
    return {rows.get_value(n, 0).decode(): int(rows.get_value(n, 1)) for n in range(rows.ntuples)}


def test_statement_is_parsed_once_and_run_with_other_values(database: Any) -> None:
    for number in range(3):
        assert database.fetch("SELECT %s::int + 1", [number], prepare=True) == ([(number + 1,)], 1)
    kept = _kept(database)
    assert kept.pop("SELECT $1::int + 1") == 3
    assert list(kept.values()) == ([3] if database.alias == "default" else []), "what says the user is kept, too"


@pytest.mark.parametrize(
    ("sql", "values", "error"), [(TASK, [ALICE, ""], IntegrityError), ("SELECT nonsense", [], ProgrammingError)]
)
def test_statement_that_failed_fails_in_the_same_way_again(
    database: Any, sql: str, values: list[str], error: type[Exception]
) -> None:
    with acting_as(ALICE):
        for _ in range(2):
            with pytest.raises(error):
                database.fetch(sql, values, prepare=True)
    assert not prepared._given_up.is_set()


def test_user_is_gone_after_the_statement(database: Any) -> None:
    with acting_as(ALICE):
        database.fetch("SELECT 1", [], prepare=True)
    rows = database.connection.pgconn.exec_(b"SELECT current_setting('app.user_id', true)")
    assert not rows.get_value(0, 0)


def test_steps_are_one_transaction(database: Any) -> None:
    database.ensure_connection()
    result = prepared.ask(
        database.connection,
        ("SELECT set_config('tests.before', %s, true)", ["a"]),
        ("SELECT current_setting(%s)", ["tests.before"]),
    )
    assert result is not None
    assert result.get_value(0, 0) == b"a"


def _forget(database: Any) -> None:
    database.connection.pgconn.exec_(b"DEALLOCATE ALL")


def _not_know(database: Any) -> None:
    database.connection.prepared.clear()


@pytest.mark.parametrize("fail", [_forget, _not_know])
def test_session_that_keeps_no_statements_answers_all_the_same(
    database: Any, fail: Callable[[Any], None], log: io.StringIO
) -> None:
    """As behind a pooler that gives each transaction another session: the name is not known there, or is already."""
    assert database.fetch("SELECT 7", [], prepare=True) == ([(7,)], 1)
    fail(database)
    for _ in range(2):
        assert database.fetch("SELECT 7", [], prepare=True) == ([(7,)], 1)
    assert log.getvalue().count("prepared_statements_given_up") == 1
    assert database.fetch("SELECT 8", [], prepare=True) == ([(8,)], 1)
    assert "SELECT 8" not in _kept(database)


@pytest.mark.parametrize("database", ["operator"], indirect=True)
def test_column_that_has_another_type_now_is_read_all_the_same(database: Any) -> None:
    database.ensure_connection()
    database.connection.pgconn.exec_(b"CREATE TEMPORARY TABLE shown AS SELECT 7 AS it")
    assert database.fetch("SELECT it FROM shown", [], prepare=True) == ([(7,)], 1)
    database.connection.pgconn.exec_(b"ALTER TABLE shown ALTER it TYPE text")
    assert database.fetch("SELECT it FROM shown", [], prepare=True) == ([("7",)], 1)


@pytest.mark.parametrize("database", ["operator"], indirect=True)
def test_failure_of_the_commit_is_a_failure(database: Any) -> None:
    database.ensure_connection()
    database.connection.pgconn.exec_(b"CREATE TEMPORARY TABLE once (it integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    for _ in range(2):
        with pytest.raises(IntegrityError):
            database.fetch("INSERT INTO once VALUES (1), (1)", [], prepare=True)
    assert database.fetch("SELECT count(*) FROM once", [], prepare=True) == ([(0,)], 1)
