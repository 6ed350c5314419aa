"""Numbers on all tasks."""

import datetime as dt
import re

import pytest
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks import statistics
from tasks.models import Task
from tasks.statistics import Share

pytestmark = pytest.mark.django_db(databases=["default", "operator"])
NOW = timezone.now()


@pytest.fixture(autouse=True)
def _only_these_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two users' tasks, created 0, 1, 29 and 30 days ago; what live servers wrote is forgotten within the test."""
    monkeypatch.setattr(statistics, "_latest", statistics._Latest())
    Task.objects.using("operator").remove()
    for user_id, ago, done in (("zoe", 0, True), ("zoe", 1, False), ("zoe", 29, True), ("ben", 30, True)):
        created = NOW - dt.timedelta(days=ago)
        Task.objects.using("operator").create(
            user_id=user_id, text="a", created_at=created, completed=done, completed_at=created if done else None
        )


def test_totals_are_counted_while_there_are_few() -> None:
    numbers = statistics.take()
    assert numbers.exact
    assert (numbers.tasks, numbers.open, numbers.completed, numbers.users) == (4, 1, 3, 2)


def test_days_are_the_last_thirty_today_last() -> None:
    days = statistics.take().days
    assert [day.date for day in days] == [NOW.date() - dt.timedelta(days=ago) for ago in reversed(range(30))]
    assert [(day.created, day.completed) for day in (days[0], days[1], days[-2], days[-1])] == [
        (1, 1),
        (0, 0),
        (1, 0),
        (1, 1),
    ]


def test_biggest_users_come_first() -> None:
    assert statistics.take().biggest_users == (Share("zoe", 3), Share("ben", 1))


def test_totals_are_estimated_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    Task.objects.using("operator").bulk_create(Task(user_id=f"user-{n % 5}", text="a") for n in range(2000))
    with connections["operator"].cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")
    monkeypatch.setattr(statistics, "COUNTED_UP_TO", 1000)
    monkeypatch.setattr(statistics, "SAMPLED", 501)
    with CaptureQueriesContext(connections["operator"]) as executed:
        numbers = statistics.take()
    statements = [query["sql"] for query in executed]
    assert not any(statement.startswith("SELECT COUNT(") for statement in statements)
    (percent,) = re.findall(r"TABLESAMPLE SYSTEM \(([0-9.]+)\)", "".join(statements))
    assert float(percent) == pytest.approx(25, rel=0.05)
    assert not numbers.exact
    assert numbers.tasks == pytest.approx(2004, rel=0.05)
    assert numbers.users == pytest.approx(7, abs=2)
    assert Share("user-1", 400) in numbers.biggest_users
    assert statistics.take(exact=True).tasks == 2004


def test_latest_numbers_are_kept_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    first = statistics.latest()
    Task.objects.using("operator").create(user_id="cat", text="a")
    assert statistics.latest() is first
    monkeypatch.setattr(statistics, "MAX_AGE", dt.timedelta(0))
    assert statistics.latest().tasks == 5


def test_latest_numbers_do_not_keep_a_page_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "TIMEOUT_MS", 50)
    monkeypatch.setattr(statistics, "take", lambda: _sleep(5))
    with pytest.raises(OperationalError, match="statement timeout"):
        statistics.latest()


def _sleep(seconds: float) -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])
