"""A statement run past the cursor: the same rows and the same errors."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, connections
from pytest_django.plugin import DjangoDbBlocker

from config.postgresql.base import DatabaseWrapper
from config.postgresql.row_security import acting_as

TYPED = "SELECT %s AS text, 1::int, true, NULL, now(), gen_random_uuid(), '{\"a\": [1]}'::jsonb, 1.5::numeric"
TASK = "INSERT INTO tasks_task (id, user_id, text) VALUES (gen_random_uuid(), %s, %s) RETURNING text"


@pytest.fixture(params=["default", "operator"])
def database(
    request: pytest.FixtureRequest,
    django_db_setup: None,  # noqa: ARG001 (the database has to be there)
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Any]:
    """A connection of its own, in no test's transaction."""
    with django_db_blocker.unblock():
        wrapper = connections.create_connection(request.param)
        assert isinstance(wrapper, DatabaseWrapper)
        yield wrapper
        wrapper.close()


def test_rows_have_the_types_of_a_cursors(database: Any) -> None:
    with database.cursor() as cursor:
        cursor.execute(TYPED, ["a"])
        expected = [type(value) for value in cursor.fetchone()]
    ((*row,),), touched = database.fetch(TYPED, ["a"])
    assert [type(value) for value in row] == expected
    assert touched == 1


def test_statement_without_rows_tells_how_many_it_touched(database: Any) -> None:
    with acting_as("alice-fetch"):
        assert database.fetch("UPDATE tasks_task SET text = %s WHERE user_id = %s", ["b", "nobody"]) == ([], 0)


@pytest.mark.parametrize(
    ("sql", "values", "error"),
    [
        ("SELECT 1 / %s", [0], DataError),
        ("SELECT %s", ["a\0b"], DataError),
        (TASK, ["alice-fetch", ""], IntegrityError),
    ],
    ids=["division", "NUL", "constraint"],
)
def test_errors_are_djangos_and_the_connection_goes_on(
    database: Any, sql: str, values: list[Any], error: type[Exception]
) -> None:
    with acting_as("alice-fetch"):
        with pytest.raises(error):
            database.fetch(sql, values)
        assert database.fetch("SELECT 1", []) == ([(1,)], 1)


def test_the_user_is_said_in_front(database: Any) -> None:
    with acting_as("alice-fetch"):
        ((user,),), _ = database.fetch("SELECT current_setting('app.user_id', true)", [])
    assert user == ("alice-fetch" if database.alias == "default" else None)


def test_a_server_that_hung_up_is_an_operational_error(database: Any) -> None:
    database.ensure_connection()
    with pytest.raises(OperationalError):
        database.fetch("SELECT pg_terminate_backend(pg_backend_pid())", [])


def test_in_a_transaction_it_is_part_of_it(database: Any) -> None:
    database.set_autocommit(False)
    database.in_atomic_block = True
    before = database.fetch("SELECT txid_current()", [])
    assert database.fetch("SELECT txid_current()", []) == before
    database.in_atomic_block = False
    database.rollback()
