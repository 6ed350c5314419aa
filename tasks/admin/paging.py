"""Pages of tasks by keyset: the last is as quick as the first, and a task that comes or goes moves no other."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from tasks.models import Task, TaskQuerySet
from tasks.schemas import timestamp

_TOKEN = re.compile(r"(older|newer),(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})Z,([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class Page:
    """Some tasks, newest first, and the tokens of the pages beside; None where there is nothing more."""

    tasks: Sequence[Task]
    newer: str | None
    older: str | None


def read(queryset: TaskQuerySet, token: str, size: int) -> Page:
    """Read the page that the token of another one leads to. With any other token, it is the first."""
    direction, created_at, task_id = _parsed(token)
    place = Tuple("created_at", "id"), (created_at, task_id)
    if direction == "newer":
        tasks = list(queryset.filter(TupleGreaterThan(*place)).order_by("created_at", "id")[: size + 1])
        if len(tasks) > size:
            return _page(tasks[size - 1 :: -1], more=True, first=False)
    elif direction == "older":
        tasks = list(queryset.filter(TupleLessThan(*place)).newest_first()[: size + 1])
        return _page(tasks[:size], more=len(tasks) > size, first=False)
    tasks = list(queryset.newest_first()[: size + 1])
    return _page(tasks[:size], more=len(tasks) > size, first=True)


def _page(tasks: list[Task], *, more: bool, first: bool) -> Page:
    return Page(
        tasks,
        newer=_token("newer", tasks[0]) if tasks and not first else None,
        older=_token("older", tasks[-1]) if more else None,
    )


def _token(direction: str, task: Task) -> str:
    return f"{direction},{timestamp(task.created_at)},{task.pk}"


def _parsed(token: str) -> tuple[str, dt.datetime, UUID] | tuple[None, None, None]:
    try:
        direction, created_at, task_id = _TOKEN.fullmatch(token).groups()  # type: ignore[union-attr]  # said below
        return direction, dt.datetime.fromisoformat(created_at).replace(tzinfo=dt.UTC), UUID(task_id)
    except (AttributeError, ValueError):
        return None, None, None
