"""Values in statements: PostgreSQL reads ours as it reads psycopg's."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from psycopg import ClientCursor, DataError

from config.postgresql.row_security import Cursor
from tests.tasks.test_schemas import through_http

pytestmark = pytest.mark.django_db

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.text(alphabet="'\\\"%s$E;\n- "),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.uuids(),
    st.none(),
    st.datetimes(timezones=st.just(dt.UTC)),
)


def _cursor() -> Cursor:
    connection.ensure_connection()
    assert connection.connection is not None
    cursor = connection.connection.cursor()
    assert isinstance(cursor, Cursor)
    return cursor


@through_http
@given(value=VALUES)
def test_a_value_is_what_psycopg_would_make_of_it(value: object) -> None:
    with _cursor() as cursor:
        theirs = ClientCursor(cursor.connection).mogrify("%s", [value]).replace("%", "%%")
        cursor.execute(f"SELECT %s IS NOT DISTINCT FROM {theirs}, 7 -%s, '100%%'", [value, -1])
        assert cursor.fetchone() == (True, 8, "100%")


@pytest.mark.parametrize(("value", "error"), [("a\0b", DataError), ("\ud800", UnicodeEncodeError)])
def test_a_text_that_postgresql_cannot_hold_is_refused(value: str, error: type[Exception]) -> None:
    with _cursor() as cursor, pytest.raises(error):
        cursor.execute("SELECT %s", [value])
