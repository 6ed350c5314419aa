"""PostgreSQL itself keeps users apart, also where a query forgot whose tasks it is about."""

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction

from config.postgresql.row_security import Cursor, acting_as
from tasks.models import Task, Tombstone
from tasks.queries import erase_user
from tests.neon.conftest import Database

pytestmark = pytest.mark.django_db(databases=["default", "operator"])


@pytest.fixture(autouse=True)
def _rows(db: None) -> None:  # noqa: ARG001 (within a transaction that is rolled back)
    for user in ("alice", "bob"):
        with acting_as(user):
            Task.objects.add(user_id=user, text=f"of {user}")


def _users() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id FROM tasks_task")
        return {user for (user,) in cursor}


def test_read_without_a_filter_sees_the_users_rows_only() -> None:
    with acting_as("alice"):
        assert set(Task.objects.values_list("user_id", flat=True)) == {"alice"}


def test_raw_sql_sees_the_users_rows_only() -> None:
    with acting_as("bob"):
        assert _users() == {"bob"}


def test_update_without_a_filter_touches_the_users_rows_only() -> None:
    with acting_as("alice"):
        assert [row["user_id"] for row in Task.objects.change(text="b")] == ["alice"]
    with acting_as("bob"):
        assert Task.objects.get().text == "of bob"


def test_delete_without_a_filter_touches_the_users_rows_only() -> None:
    with acting_as("alice"):
        assert Task.objects.remove() == 1
    with acting_as("bob"):
        assert Task.objects.count() == 1


def test_insert_for_another_user_is_refused() -> None:
    with acting_as("alice"), pytest.raises(DatabaseError, match="row-level security"):
        Task.objects.add(user_id="bob", text="planted")


def test_task_cannot_be_given_to_another_user() -> None:
    with acting_as("alice"), pytest.raises(DatabaseError, match="row-level security"):
        Task.objects.update(user_id="bob")


def test_nobody_sees_nothing(database: Database) -> None:
    """Without a transaction around, as in the service: what one statement said of its user is gone with it."""
    with psycopg.connect(database.api_url, autocommit=True, cursor_factory=Cursor) as session:
        with acting_as("alice-before"):
            session.execute(
                "INSERT INTO tasks_task (id, user_id, text) VALUES (gen_random_uuid(), 'alice-before', 'a')"
            )
            assert session.execute("SELECT count(*) FROM tasks_task").fetchone() == (1,)
        assert session.execute("SELECT count(*) FROM tasks_task").fetchone() == (0,)
        assert session.execute("DELETE FROM tasks_task").rowcount == 0


def test_empty_user_sees_nothing() -> None:
    with acting_as(""):
        assert _users() == set()


@pytest.mark.parametrize(
    "user",
    ["o'brien", "back\\slash", "';DROP TABLE tasks_task;--", "%s %(a)s %", 'do"uble', "ünïcödé 🐘", "$$", "a" * 255],
)
def test_any_user_id_is_quoted(user: str) -> None:
    with acting_as(user):
        Task.objects.add(user_id=user, text="50 % of it")
        assert _users() == {user}


def test_innermost_user_counts() -> None:
    with acting_as("alice"):
        with acting_as("bob"):
            assert _users() == {"bob"}
        assert _users() == {"alice"}


def test_many_statements_are_each_the_users() -> None:
    with acting_as("alice"):
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE tasks_task SET text = %s", [["one"], ["two"]])
        assert Task.objects.get().text == "two"
    with acting_as("bob"):
        assert Task.objects.get().text == "of bob"


def test_savepoint_survives_a_failure_inside() -> None:
    with acting_as("alice"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT nonsense")
        assert Task.objects.count() == 1


def test_operators_see_everybody() -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = 'tasks_task'")
        assert cursor.fetchone() == (True, True)
    Task.objects.using("operator").add(user_id="carol", text="seen")
    assert Task.objects.using("operator").owned_by("carol").exists()


@pytest.mark.parametrize("table", ["auth_user", "django_session", "django_admin_log", "django_migrations"])
def test_api_cannot_read_what_is_the_operators(table: str) -> None:
    with pytest.raises(DatabaseError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")


def test_user_sees_own_tombstones_only() -> None:
    for user in ("alice", "bob"):
        with acting_as(user):
            Task.objects.remove()
    with acting_as("alice"):
        assert [tombstone.user_id for tombstone in Tombstone.objects.all()] == ["alice"]


def test_user_can_be_erased_by_the_api() -> None:
    with acting_as("alice"):
        Task.objects.add(user_id="alice", text="a")
        assert erase_user("alice") == 2
        assert not Tombstone.objects.exists()


def test_api_cannot_change_a_tombstone() -> None:
    with acting_as("alice"):
        Task.objects.add(user_id="alice", text="a")
        Task.objects.remove()
        assert Tombstone.objects.update(revision=1) == 0
