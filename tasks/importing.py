"""Takes exported tasks back: all of a file, or nothing of it."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Self

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tasks.models import WIRE_FIELDS, Row, Task
from tasks.parameters import INSTANT
from tasks.parsing import Record
from tasks.schemas import Completed, Order, TaskID, Text, refusal
from tasks.turns import writing_for

PROBLEMS_KEPT = 100
CLOCKS_DIFFER_BY = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line cannot be taken."""

    line: int
    why: str


@dataclass(slots=True)
class Refused(Exception):
    """Nothing of the file was taken: there are `count` problems, of which the first ones are kept."""

    count: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, line: int, why: str) -> None:
        self.count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem(line, why))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many of a file's tasks were not there before, were another version, were there as they are."""

    created: int
    updated: int
    unchanged: int


def import_tasks(user_id: str, records: Iterable[Record], *, dry_run: bool = False) -> Outcome:
    """Make the user's tasks of these ids what the records say, in one transaction. Raises Refused, and BadFile.

    The records wait in a table of their own until all of them are known to be good. A dry run does everything, and
    takes it back in the end.
    """
    with writing_for(user_id), connections["operator"].cursor() as cursor:
        refused = Refused()
        _stage(cursor, _rows(user_id, records, refused))
        for line, why in _conflicts(cursor, user_id):
            refused.add(line, why)
        if refused.count:
            refused.problems.sort(key=lambda problem: problem.line)
            raise refused
        outcome = _merge(cursor, user_id)
        cursor.execute(f"DROP TABLE {_STAGING}")
        transaction.set_rollback(dry_run, "operator")
        return outcome


def _instant(value: object) -> dt.datetime:
    if not isinstance(value, str) or not re.fullmatch(INSTANT, value, re.ASCII):
        raise refusal("must be a time like 2026-11-20T11:31:30.537123Z")
    try:
        return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
    except (OverflowError, ValueError):
        raise refusal("is out of range") from None


Instant = Annotated[dt.datetime, BeforeValidator(_instant)]


class ImportedTask(BaseModel):
    """One task as it was exported, and as it could have come to be through the API."""

    model_config = ConfigDict(strict=True, extra="forbid")

    id: Annotated[TaskID, Field(strict=False)]
    user_id: str | None = None
    text: Text
    completed: Completed
    order: Order
    created_at: Instant
    updated_at: Instant
    completed_at: Instant | None

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.completed != (self.completed_at is not None):
            raise refusal("completed_at is there exactly when completed is true")
        if not self.created_at <= (self.completed_at or self.created_at) <= self.updated_at:
            raise refusal("created_at, completed_at, updated_at must be in this order")
        if self.updated_at > dt.datetime.now(dt.UTC) + CLOCKS_DIFFER_BY:
            raise refusal("updated_at is in the future")
        return self


def _rows(user_id: str, records: Iterable[Record], refused: Refused) -> Iterator[tuple[int, Row]]:
    for record in records:
        if record.problem:
            refused.add(record.line, record.problem)
            continue
        try:
            task = ImportedTask.model_validate(record.values)
        except ValidationError as exc:
            refused.add(record.line, "; ".join(_explain(exc)))
            continue
        if task.user_id not in {None, user_id}:
            refused.add(record.line, "is the task of another user than the one to import for")
        else:
            yield record.line, task.model_dump() | {"user_id": user_id}


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        yield ": ".join([*(ascii(name).strip("'") for name in problem["loc"]), problem["msg"]])


# SQL of our own: Django has no COPY and no `INSERT ... SELECT`.

_STAGING = "pg_temp.staged"
_TASKS = Task._meta.db_table
_COLUMNS = ", ".join(f'"{name}"' for name in WIRE_FIELDS)
_CHANGEABLE = [f'"{name}"' for name in WIRE_FIELDS if name not in {"id", "user_id"}]


def _stage(cursor: CursorWrapper, rows: Iterable[tuple[int, Row]]) -> None:
    cursor.execute(f"CREATE TEMP TABLE staged AS SELECT 0::bigint AS line, {_COLUMNS} FROM {_TASKS} LIMIT 0")
    with cursor.copy(f"COPY {_STAGING} (line, {_COLUMNS}) FROM STDIN") as copy:
        for line, row in rows:
            copy.write_row([line, *(row[name] for name in WIRE_FIELDS)])
    cursor.execute(f"ANALYZE {_STAGING}")


def _conflicts(cursor: CursorWrapper, user_id: str) -> Iterator[tuple[int, str]]:
    """Lines whose id is used elsewhere. Of another user's task nothing is told but that."""
    numbered = (
        "SELECT line, min(line) OVER same AS first, row_number() OVER (same ORDER BY line) AS number"
        f" FROM {_STAGING} WINDOW same AS (PARTITION BY id)"
    )
    cursor.execute(f"SELECT line, first FROM ({numbered}) AS numbered WHERE number > 1 ORDER BY line")
    for line, first in cursor:
        yield line, f"id: is the same as in line {first}"
    cursor.execute(
        f"SELECT line FROM {_STAGING} JOIN {_TASKS} AS task USING (id) WHERE task.user_id <> %s ORDER BY line",
        [user_id],
    )
    for (line,) in cursor:
        yield line, "id: is taken"


def _merge(cursor: CursorWrapper, user_id: str) -> Outcome:
    """Insert and update in the order of ids, so that two imports at once wait for each other instead of locking up.

    A row that was inserted has no `xmax`; one that was updated has that of its version before.
    """
    new = ", ".join(f"{name} = EXCLUDED.{name}" for name in _CHANGEABLE)
    differs = (
        f"({', '.join(f'task.{name}' for name in _CHANGEABLE)}) IS DISTINCT FROM"
        f" ({', '.join(f'EXCLUDED.{name}' for name in _CHANGEABLE)})"
    )
    insert = (
        f"INSERT INTO {_TASKS} AS task ({_COLUMNS}) SELECT {_COLUMNS} FROM {_STAGING} ORDER BY id"
        f" ON CONFLICT (id) DO UPDATE SET {new} WHERE task.user_id = %s AND {differs} RETURNING xmax = 0 AS created"
    )
    cursor.execute(
        f"WITH merged AS ({insert})"
        " SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created) FROM merged",
        [user_id],
    )
    created, updated = cursor.fetchone() or (0, 0)
    cursor.execute(
        f"SELECT count(*), count(*) FILTER (WHERE task.user_id = %s) FROM {_STAGING} JOIN {_TASKS} AS task USING (id)",
        [user_id],
    )
    staged, owned = cursor.fetchone() or (0, 0)
    if owned < staged:  # somebody took an id a moment ago
        raise Refused(staged - owned, [Problem(0, "an id was taken meanwhile")])
    return Outcome(created, updated, staged - created - updated)
