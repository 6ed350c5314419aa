"""What the database holds whoever writes, each proved by attempting the bad write."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connections
from django.db.models import F
from django.db.models.functions import Now
from django.db.utils import DataError

from tasks.models import Task

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

OWNERS = Task.objects.using("operator")  # the constraints hold for the owner too
GOOD: dict[str, Any] = {"user_id": "alice", "text": "Buy groceries"}


@pytest.fixture(autouse=True)
def _no_tasks() -> None:
    """Forget, within the test's transaction, what live servers have written."""
    OWNERS.remove()


@pytest.mark.parametrize(
    ("bad", "constraint"),
    [
        pytest.param({"user_id": ""}, "task_user_id_not_empty", id="user_id empty"),
        pytest.param({"text": ""}, "task_text_not_blank", id="text empty"),
        pytest.param({"text": " \t\n"}, "task_text_not_blank", id="text blank"),
        pytest.param({"text": "a" * 501}, "task_text_length", id="text of 501"),
        pytest.param({"completed": True}, "task_completed_has_completed_at", id="completed without a time"),
        pytest.param({"completed_at": Now()}, "task_completed_has_completed_at", id="a time without completed"),
        pytest.param({"user_id": None}, "user_id", id="user_id null"),
        pytest.param({"text": None}, "text", id="text null"),
    ],
)
@pytest.mark.parametrize("write", ["insert", "update"])
def test_bad_write_is_refused(bad: dict[str, Any], constraint: str, write: str) -> None:
    if write == "insert":
        with pytest.raises(IntegrityError, match=constraint):
            OWNERS.create(**GOOD | bad)
    else:
        OWNERS.create(**GOOD)
        with pytest.raises(IntegrityError, match=constraint):
            OWNERS.update(**bad)


def test_user_id_of_256_characters_is_refused() -> None:
    with pytest.raises(DataError, match="too long"):
        OWNERS.create(user_id="a" * 256, text="a")


def test_largest_values_are_taken() -> None:
    task = OWNERS.create(user_id="ü" * 255, text="🐘" * 500, order=2**31 - 1)
    task.refresh_from_db(using="operator")
    assert (len(task.user_id), len(task.text), task.order) == (255, 500, 2**31 - 1)


def test_change_is_one_statement(django_assert_num_queries: Any) -> None:
    OWNERS.create(**GOOD)
    with django_assert_num_queries(1, using="operator"):
        (row,) = OWNERS.change(text="b", completed=True, order=1)
    assert (row["text"], row["completed"], row["order"]) == ("b", True, 1)


def test_add_is_one_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1, using="operator"):
        row = OWNERS.add(**GOOD, completed=True)
    assert OWNERS.rows().get(order=0) == row


def test_remove_is_one_statement(django_assert_num_queries: Any) -> None:
    OWNERS.create(**GOOD)
    with django_assert_num_queries(1, using="operator"):
        assert OWNERS.owned_by("alice").remove() == 1


def test_change_moves_updated_at_although_the_clock_stepped_back() -> None:
    OWNERS.create(**GOOD)
    OWNERS.update(updated_at=F("updated_at") + timedelta(days=1))
    before = OWNERS.get().updated_at
    (row,) = OWNERS.change(text="b")
    assert row["updated_at"] == before + timedelta(microseconds=1)


def test_change_reaches_the_querysets_tasks_only() -> None:
    OWNERS.create(**GOOD)
    OWNERS.create(user_id="bob", text="his")
    assert [row["user_id"] for row in OWNERS.owned_by("alice").change(text="b")] == ["alice"]
    assert OWNERS.get(user_id="bob").text == "his"


def test_list_is_served_by_its_index() -> None:
    with connections["operator"].cursor() as cursor:
        OWNERS.bulk_create(Task(user_id=f"user-{number % 100}", text="a") for number in range(1000))
        cursor.execute("ANALYZE tasks_task")
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    plan = OWNERS.owned_by("alice").newest_first().rows().explain()
    assert "task_user_newest_first" in plan
    assert "Sort" not in plan


def test_every_index_is_named_for_its_use() -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'tasks_task'")
        names = {name for (name,) in cursor}
    assert names == {
        "tasks_task_pkey",
        "task_user_newest_first",
        "task_user_last_changed",
        "task_user_in_order",
        "task_user_open_or_done",
        "task_user_revision",
        "task_of_all_newest_first",
        "task_words",
    }


def test_migrations_are_complete() -> None:
    call_command("makemigrations", check_changes=True, dry_run=True, stdout=StringIO())
