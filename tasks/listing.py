"""Lists page by page, by keyset: one statement a page, the last as quick as the first.

A page begins where the one before ended, so a task that comes or goes moves no other.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson
from django.db import models
from django.db.models import F, Func
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from tasks import changes, memory, search, statements, tokens
from tasks.memory import Known
from tasks.models import AS_JSON, Task, TaskQuerySet
from tasks.parameters import ListParameters
from tasks.queries import own
from tasks.statements import Parameter, Statement

MOST: Final = 10_000  # tasks of a page without a limit
_BETWEEN: Final = ",\n"  # tasks; JSON has no line breaks inside of strings


@dataclass(frozen=True, slots=True)
class Page:
    """Some tasks in JSON, with commas between them, how many there are in all, and the cursor of the page after."""

    tasks: str
    count: int
    next_cursor: str | None


class _Sort(NamedTuple):
    """By `keys`, all of them descending or none. The `group` in front, if there is one, goes the other way."""

    keys: tuple[str, ...]
    descending: bool
    group: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        return self.group + self.keys

    @property
    def order(self) -> list[str]:
        return [f"{'-' if self.descending != (name in self.group) else ''}{name}" for name in self.fields]


_SORTS: Final = {
    "created_at": _Sort(("created_at", "id"), descending=False),
    "-created_at": _Sort(("created_at", "id"), descending=True),
    "updated_at": _Sort(("updated_at", "id"), descending=False),
    "-updated_at": _Sort(("updated_at", "id"), descending=True),
    "order": _Sort(("created_at", "id"), descending=True, group=("order",)),
    "-order": _Sort(("created_at", "id"), descending=False, group=("order",)),
}
_SIZE, _REVISION, _NUMBER = (Parameter(name, models.BigIntegerField()) for name in ("size", "revision", "number"))


class _Matches(Func):
    """The text, against all regular expressions of an array."""

    template = "%(expressions)s)"
    arg_joiner = " ~ ALL ("
    output_field = models.BooleanField()


def read(user_id: str, wanted: ListParameters) -> Page:
    """Read a page of the user's tasks. Raises ForgedToken."""
    filters, size = wanted.filters, wanted.limit or MOST
    texts = {name: str(value) for name, value in filters.items()}
    bound_to = "cursor", user_id, wanted.sort, texts
    place = tokens.read(wanted.cursor, *bound_to) if wanted.cursor else []
    if "q" in filters:
        filters["q"] = search.patterns(filters["q"])
    values = {"user_id": user_id, "size": size, **filters}
    if not (wanted.limit or place):
        ((tasks, found),) = _whole(wanted.sort, tuple(filters)).rows(**values)
        if found <= size:
            return Page(tasks or "", found, None)
    tasks, found, count = _counted(wanted.sort, tuple(filters), place, values, (user_id, *texts.items()))
    if found <= size:
        return Page(tasks or "", count, None)
    tasks, _, _ = tasks.rpartition(_BETWEEN)
    last = orjson.loads(tasks.rpartition(_BETWEEN)[2])
    next_cursor = tokens.write([last[name] for name in _SORTS[wanted.sort].fields], *bound_to)
    return Page(tasks, count, next_cursor)


def tag(body: str) -> str:
    """The weak entity tag of a list."""
    return f'W/"{blake2b(body.encode(), digest_size=8).hexdigest()}"'


def known_tag(user_id: str, query: str) -> Known:
    """The user's newest revision and, if it is remembered, the tag that the list had at it: an empty one if not."""
    revision, known = changes.newest_revision(user_id), memory.recall((user_id, query))
    return known if known.revision == revision else Known(revision, "")


def remember_tag(user_id: str, query: str, known: Known) -> None:
    """Keep the tag of a list that was read after the revision was, so never one that is older."""
    memory.remember((user_id, query), known)


def _counted(
    sort: str, filters: tuple[str, ...], place: list[Any], values: dict[str, Any], key: Hashable
) -> tuple[str, int, int]:
    """Up to `size` + 1 tasks, how many these are, and how many match, which is remembered by `key`."""
    known = memory.recall(key)
    after = {f"after_{name}": value for name, value in zip(_SORTS[sort].fields, place, strict=False)}
    statement = _page(sort, filters, after=bool(place))
    ((tasks, found, count, revision),) = statement.rows(revision=known.revision, number=known.value, **values, **after)
    if (place or found > values["size"]) and revision != known.revision:
        memory.remember(key, Known(revision, count))
    return tasks, found, count


@lru_cache(maxsize=256)
def _whole(sort: str, filters: tuple[str, ...]) -> Statement:
    """A row: up to `size` + 1 tasks in JSON, and how many these are."""
    whole = _joined(_part(_filtered(own(), filters), _SORTS[sort]))
    return whole.prepared() if _has_index(_SORTS[sort], filters) else whole


@lru_cache(maxsize=512)  # of 3072: each sort with any of the filters, and after a place or not
def _page(sort_name: str, filters: tuple[str, ...], *, after: bool) -> Statement:
    """A row: up to `size` + 1 tasks in JSON, how many these are, how many tasks match, and the user's newest revision.

    Those that match are counted only where neither the page tells nor an earlier count, which is as good as new while
    the revision is the same.
    """
    sort, matching = _SORTS[sort_name], _filtered(own(), filters)
    parts = [_part(tasks, sort) for tasks in (_after(matching, sort) if after else [matching])]
    page = _joined(parts[0] if len(parts) == 1 else _merged(parts, sort))
    newest = changes.newest()
    every = statements.select(matching.values("pk"))
    complete = "FALSE" if after else "found <= %s"
    sql = (
        f"SELECT tasks, found, CASE WHEN {complete} THEN found WHEN revision = %s THEN %s"
        f" ELSE (SELECT count(*) FROM ({every.sql}) AS matching) END, revision"
        f" FROM (SELECT *, ({newest.sql}) AS revision FROM ({page.sql}) AS page"
        " OFFSET 0) AS page"  # or the planner would have the revision looked up wherever it is named
    )
    known = (_REVISION, _NUMBER) if after else (_SIZE, _REVISION, _NUMBER)
    counted = Statement(sql, known + _parameters(every, newest, page), page.using)
    return counted.prepared() if _has_index(sort, filters) else counted


def _has_index(sort: _Sort, filters: tuple[str, ...]) -> bool:
    """Whether an index has just these tasks in this order. Any other plan depends on what is asked for."""
    return not filters or (filters == ("completed",) and sort.fields == ("created_at", "id"))


def _joined(rows: Statement) -> Statement:
    joined = f"SELECT string_agg(task, '{_BETWEEN}') AS tasks, count(*) AS found FROM ({rows.sql}) AS page"
    return replace(rows, sql=joined)


def _filtered(tasks: TaskQuerySet, filters: tuple[str, ...]) -> TaskQuerySet:
    for name in filters:
        if name == "q":
            tasks = tasks.filter(_Matches(F("text"), Parameter(name, models.TextField())))
        else:
            field, _, comparison = name.rpartition("_") if name.endswith(("_gte", "_lt")) else (name, "", "exact")
            tasks = tasks.filter(**{f"{field}__{comparison}": Parameter(name, Task._meta.get_field(field))})
    return tasks


def _after(tasks: TaskQuerySet, sort: _Sort) -> list[TaskQuerySet]:
    """What comes after the place. Of a group, its own rest and all that follow: an index serves one, but not both."""
    keys = Tuple(*map(F, sort.keys)), tuple(_place(name) for name in sort.keys)
    rest = tasks.filter(TupleLessThan(*keys) if sort.descending else TupleGreaterThan(*keys))
    for name in sort.group:
        following = {f"{name}__{'gt' if sort.descending else 'lt'}": _place(name)}
        return [rest.filter(**{name: _place(name)}), tasks.filter(**following)]
    return [rest]


def _place(name: str) -> Parameter:
    return Parameter(f"after_{name}", Task._meta.get_field(name))


def _part(tasks: TaskQuerySet, sort: _Sort) -> Statement:
    keys = sort.fields if sort.group else ()  # by which parts are merged
    part = statements.select(tasks.order_by(*sort.order).annotate(task=AS_JSON).values("task", *keys))
    return Statement(f"{part.sql} LIMIT %s + 1", (*part.parameters, _SIZE), part.using)


def _merged(parts: list[Statement], sort: _Sort) -> Statement:
    order = ", ".join(f'"{name.removeprefix("-")}" {"DESC" if name[0] == "-" else "ASC"}' for name in sort.order)
    union = " UNION ALL ".join(f"({part.sql})" for part in parts)
    return Statement(f"{union} ORDER BY {order} LIMIT %s + 1", (*_parameters(*parts), _SIZE), parts[0].using)


def _parameters(*of: Statement) -> tuple[Any, ...]:
    return tuple(parameter for statement in of for parameter in statement.parameters)
