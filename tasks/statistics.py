"""Numbers on all tasks, for operators: how many there are, how many a day, and whose.

What would read the whole table is counted while that is small. Beyond it stands what PostgreSQL's planner expects from
its own statistics, which costs nothing and is off by a percent or so, unless the caller would rather wait.
"""

import datetime as dt
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connections, transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from tasks.models import Task, TaskQuerySet

COUNTED_UP_TO = 200_000  # tasks that are counted one by one, in some 50 ms
SAMPLED = 50_000  # tasks in which the biggest users are looked for beyond that
DAYS = 30
BIGGEST = 10
MAX_AGE = dt.timedelta(minutes=1)
TIMEOUT_MS = 5_000  # of each statement where somebody waits in front of a page


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on one day (UTC)."""

    date: dt.date
    created: int
    completed: int
    """Tasks done since that day; who opened or deleted a task again took it out."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many tasks one user has."""

    user_id: str
    tasks: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """All tasks at one time."""

    as_of: dt.datetime
    exact: bool
    """Whether `tasks`, `open`, `completed` and `users` were counted; else estimated. The rest is always counted."""

    tasks: int
    open: int
    completed: int
    users: int
    """Users with at least one task."""

    days: tuple[Day, ...]
    """The last 30 days, today last."""

    biggest_users: tuple[Share, ...]
    """At most ten, most tasks first. While `exact` is false, there may be others of the same size."""


def take(*, exact: bool = False) -> Statistics:
    """Count now. `exact` counts everything, however long that takes."""
    tasks = Task.objects.using("operator")
    counted = exact or estimated_count(tasks) <= COUNTED_UP_TO
    count = QuerySet.count if counted else estimated_count
    total, completed = count(tasks), count(tasks.filter(completed=True))
    return Statistics(
        as_of=timezone.now(),
        exact=counted,
        tasks=total,
        open=max(0, total - completed),
        completed=completed,
        users=count(tasks.order_by().values("user_id").distinct()),
        days=_days(tasks),
        biggest_users=_biggest(tasks if counted else tasks.filter(user_id__in=_frequent_users(total))),
    )


@dataclass(slots=True)
class _Latest:
    statistics: Statistics | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)  # whoever comes while it counts waits for the result


_latest = _Latest()


def latest() -> Statistics:
    """Numbers at most a minute old. Raises OperationalError if they cannot be had in a few seconds."""
    with _latest.lock:
        if _latest.statistics is None or timezone.now() - _latest.statistics.as_of > MAX_AGE:
            with transaction.atomic("operator"), connections["operator"].cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {TIMEOUT_MS:d}")
                _latest.statistics = take()
        return _latest.statistics


def estimated_count(queryset: QuerySet[Any, Any]) -> int:
    """Return how many rows the planner expects, without reading any."""
    plan: list[dict[str, dict[str, int]]] = json.loads(queryset.order_by().explain(format="json"))
    return plan[0]["Plan"]["Plan Rows"]


def _days(tasks: TaskQuerySet) -> tuple[Day, ...]:
    today = timezone.now().date()
    dates = [today - dt.timedelta(days=ago) for ago in reversed(range(DAYS))]
    created, completed = (_per_day(tasks, name, dates[0]) for name in ("created_at", "completed_at"))
    return tuple(Day(date, created.get(date, 0), completed.get(date, 0)) for date in dates)


def _per_day(tasks: TaskQuerySet, name: str, since: dt.date) -> dict[dt.date, int]:
    midnight = dt.datetime.combine(since, dt.time.min, dt.UTC)
    recent = tasks.of_all_users().filter(**{f"{name}__gte": midnight}).annotate(date=TruncDate(name, tzinfo=dt.UTC))
    return dict(recent.order_by().values_list("date").annotate(tasks=Count("*")))


def _biggest(tasks: TaskQuerySet) -> tuple[Share, ...]:
    by_user = tasks.order_by().values_list("user_id").annotate(tasks=Count("*"))
    return tuple(Share(*row) for row in by_user.order_by("-tasks", "user_id")[:BIGGEST])


def _frequent_users(total: int) -> Iterable[str]:
    """The users met most often in a sample of the table's pages (the planner's own one is hidden by row security)."""
    with connections["operator"].cursor() as cursor:
        cursor.execute(
            f"SELECT user_id FROM {Task._meta.db_table} TABLESAMPLE SYSTEM (%s)"
            " GROUP BY user_id ORDER BY count(*) DESC LIMIT %s",
            [min(100.0, 100 * SAMPLED / total), BIGGEST],
        )
        return [user_id for (user_id,) in cursor]
