"""A statement run past the cursor, prepared or not: the same rows and the same errors."""

import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError
from psycopg.errors import AdminShutdown

from config.postgresql.row_security import acting_as

pytestmark = pytest.mark.django_db

TYPED = "SELECT %s AS text, 1::int, true, NULL, now(), gen_random_uuid(), '{\"a\": [1]}'::jsonb, 1.5::numeric"
TASK = "INSERT INTO tasks_task (id, user_id, text) VALUES (gen_random_uuid(), %s, %s) RETURNING text"


Fetch = Callable[..., tuple[list[tuple[Any, ...]], int]]


@pytest.fixture(params=[False, True], ids=["bound", "prepared"])
def fetch(request: pytest.FixtureRequest, database: Any) -> Fetch:
    return partial(database.fetch, prepare=request.param)


def test_rows_have_the_types_of_a_cursors(database: Any, fetch: Fetch) -> None:
    with database.cursor() as cursor:
        cursor.execute(TYPED, ["a"])
        expected = [type(value) for value in cursor.fetchone()]
    ((*row,),), touched = fetch(TYPED, ["a"])
    assert [type(value) for value in row] == expected
    assert touched == 1


def test_statement_without_rows_tells_how_many_it_touched(fetch: Fetch) -> None:
    with acting_as("alice-fetch"):
        assert fetch("UPDATE tasks_task SET text = %s WHERE user_id = %s", ["b", "nobody"]) == ([], 0)


@pytest.mark.parametrize(
    ("sql", "values", "error"),
    [
        ("SELECT 1 / %s", [0], DataError),
        ("SELECT nonsense", [], ProgrammingError),
        ("SELECT %s", ["a\0b"], DataError),
        (TASK, ["alice-fetch", ""], IntegrityError),
    ],
    ids=["division", "nonsense", "NUL", "constraint"],
)
def test_errors_are_djangos_and_the_connection_goes_on(
    fetch: Fetch, sql: str, values: list[Any], error: type[Exception]
) -> None:
    with acting_as("alice-fetch"):
        for _ in range(2):
            with pytest.raises(error):
                fetch(sql, values)
        assert fetch("SELECT 1", []) == ([(1,)], 1)


def test_the_user_is_said_in_front(database: Any, fetch: Fetch) -> None:
    with acting_as("alice-fetch"):
        ((user,),), _ = fetch("SELECT current_setting('app.user_id', true)", [])
    assert user == ("alice-fetch" if database.alias == "default" else None)


def test_a_server_that_hung_up_is_an_operational_error(fetch: Fetch) -> None:
    with pytest.raises(OperationalError) as caught:
        fetch("SELECT pg_terminate_backend(pg_backend_pid())", [])
    assert isinstance(caught.value.__cause__, AdminShutdown), "it said why"


def test_a_server_that_is_gone_is_an_operational_error(database: Any, fetch: Fetch) -> None:
    database.ensure_connection()
    with socket.socket(fileno=os.dup(database.connection.fileno())) as sock:
        sock.shutdown(socket.SHUT_RDWR)
    database.health_check_done = True  # as of the moment before
    with pytest.raises(OperationalError):
        fetch("SELECT 1", [])


def test_in_a_transaction_it_is_part_of_it(database: Any, fetch: Fetch) -> None:
    database.set_autocommit(False)
    database.in_atomic_block = True
    before = fetch("SELECT txid_current()", [])
    assert fetch("SELECT txid_current()", []) == before
    database.in_atomic_block = False
    database.rollback()
