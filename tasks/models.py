"""The task: its fields, the rules the database holds, and the vocabulary every query is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any, Self, TypeVar, cast
from uuid import UUID

import uuid6
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Case, Expression, F, Func, Q, Value, When
from django.db.models.functions import Coalesce, Collate, Greatest, Length, Now
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from tasks import statements
from tasks.statements import Parameter, Returned, Statement

TEXT_MAX_LENGTH = 500  # Unicode code points
USER_ID_MAX_LENGTH = 255
ORDER_MIN, ORDER_MAX = -(2**31), 2**31 - 1
ASCII_WHITESPACE = " \t\n\v\f\r"  # what the database can judge whatever its locale; the API refuses Unicode's too

IDEMPOTENCY_KEY_MAX_LENGTH = 255
ANSWERS_KEPT = dt.timedelta(hours=24)

REMOVED_AT_ONCE = 5_000  # of what has expired: nobody waits for long

CLIENT_FIELDS = ("text", "completed", "order")  # what a client decides of a task
WIRE_FIELDS = ("id", "user_id", *CLIENT_FIELDS, "created_at", "updated_at", "completed_at")

_M = TypeVar("_M", bound=models.Model)
Row = dict[str, Any]  # one task as the API shows it: WIRE_FIELDS and their values

WORDS = SearchVector("text", config="simple")  # of any language, as they stand

# The statement's clock, but always later than the last change: also when the clock steps back, and for the second of
# two writers, whose statement started before the first one's ended.
_MICROSECOND = Func(template="interval '1 microsecond'", output_field=models.DurationField())
_CHANGE_TIME = Greatest(Now(), F("updated_at") + _MICROSECOND)


_TIMES = ("created_at", "updated_at", "completed_at", "deleted_at")
_MEMBER = """'%(mark)s"%(name)s":', to_json(%(expressions)s)"""
_MEMBERS = {"completed_at": """'%(mark)s"%(name)s":', coalesce(to_json(%(expressions)s), 'null')"""}


class _Instant(Func):
    """ISO 8601 in UTC with six fractional digits, also where they are zeros."""

    template = "to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    output_field = models.TextField()


def _json(begun: str, **members: str) -> Func:
    """An object of columns. PostgreSQL's own functions make a row first, or put spaces in."""
    parts = (
        Func(
            _Instant(column) if column in _TIMES else column,
            template=_MEMBERS.get(column, _MEMBER),
            mark="," if n else begun,
            name=name,
        )
        for n, (name, column) in enumerate(members.items())
    )
    return Func(*parts, template="concat(%(expressions)s, '}')", output_field=models.TextField())


AS_JSON = _json("{", **{name: name for name in WIRE_FIELDS})

# In the feed of changes.
AS_UPSERT = Func(
    AS_JSON, template="""concat('{"type":"upsert","task":', %(expressions)s, '}')""", output_field=models.TextField()
)
AS_DELETION = _json('{"type":"delete",', id="task_id", deleted_at="deleted_at")

# The strong entity tag: another one after each change. It does not show how many changes there are of all users.
AS_TAG = Func(
    "id",
    "revision",
    template="('\"' || left(md5(concat(%(expressions)s)), 16) || '\"')",
    output_field=models.TextField(),
)


class _Among(Func):
    """A value among those of a list."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = models.BooleanField()


def tag_among(name: str) -> Expression:
    """Whether a task's entity tag is among the parameter `name`'s, a list."""
    return _Among(AS_TAG, Parameter(name, models.TextField()))


class OwnedQuerySet(models.QuerySet[_M]):
    """Rows that have an owner, and that no others refer to."""

    def owned_by(self, user_id: str | Parameter) -> Self:
        """The one gate: every read and write on behalf of a user starts here."""
        return self.filter(user_id=user_id)

    def removing(self) -> Statement:
        """Delete the queryset's rows."""
        return statements.delete(self)

    def remove(self) -> int:
        """Delete the queryset's rows, in one statement, and return how many there were."""
        return self.removing().count()

    def remove_by_age(self, time: str) -> int:
        """Delete the queryset's rows, those of the earliest `time` first, and return how many there were."""
        earliest = self.order_by(time).values_list(time, flat=True)
        removed = 0
        while times := list(earliest[:REMOVED_AT_ONCE]):
            removed += self.filter(**{f"{time}__lte": times[-1]}).remove()
        return removed


class TaskQuerySet(OwnedQuerySet["Task"]):
    def one_of(self, user_id: str | Parameter, task_id: UUID | Parameter) -> Self:
        """One task of the user's. In another collation an index that has all of theirs is no way to it, its id is."""
        return self.alias(owner=Collate("user_id", "C")).filter(id=task_id, owner=user_id)

    def of_all_users(self) -> Self:
        """For operators. All tasks meet the condition; it is their index's, to keep that out of the users' plans."""
        return self.filter(revision__gte=0)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def rows(self) -> models.QuerySet[Task, Row]:
        return cast("models.QuerySet[Task, Row]", self.values(*WIRE_FIELDS))

    def as_json_with_tag(self) -> models.QuerySet[Task, tuple[str, str]]:
        return cast("models.QuerySet[Task, tuple[str, str]]", self.values_list(AS_JSON, AS_TAG))

    def adding(self, values: Row, returned: Iterable[Returned] = WIRE_FIELDS) -> Statement:
        """Insert a task of id, user_id, text, completed and order."""
        task = Task(**values, completed_at=Case(When(_is_true(values["completed"]), then=Now())))
        return statements.insert(self, task, returned)

    def changing(self, values: Row, returned: Iterable[Returned] = WIRE_FIELDS) -> Statement:
        """Set any of text, completed and order on every task of the queryset.

        The database decides `completed_at` and `updated_at` from the row as it finds it under its lock.
        """
        # The columns are not null, so `<>` says all there is to say about a difference.
        differs = reduce(or_, (~Q(**{name: value}) for name, value in values.items()))
        derived: Row = {"updated_at": Case(When(differs, then=_CHANGE_TIME), default=F("updated_at"))}
        if "completed" in values:
            since = Coalesce(F("completed_at"), _CHANGE_TIME)
            derived["completed_at"] = Case(When(_is_true(values["completed"]), then=since))
        return statements.update(self, values | derived, returned)

    def add(self, **values: Any) -> Row:  # noqa: ANN401 (user_id, text, completed, order, id)
        """Insert one task, in one statement, and return it."""
        (row,) = _rows(self.adding({"id": uuid6.uuid7(), "completed": False} | values))
        return row

    def change(self, **values: Any) -> list[Row]:  # noqa: ANN401 (any of text, completed, order)
        """Set `values` on the queryset's tasks, in one statement, and return them as they are then."""
        return _rows(self.changing(values))


def _is_true(completed: bool | Parameter) -> Expression:  # noqa: FBT001 (a column's value)
    return completed if isinstance(completed, Parameter) else Value(completed)


def _rows(statement: Statement) -> list[Row]:
    return [dict(zip(WIRE_FIELDS, row, strict=True)) for row in statement.rows()]


class Task(models.Model):
    """One thing to do, of one user of the issuer of the tokens."""

    id = models.UUIDField(primary_key=True, default=uuid6.uuid7, editable=False)
    user_id = models.CharField(max_length=USER_ID_MAX_LENGTH, help_text="The token's `sub`: an opaque string")
    text = models.TextField(max_length=TEXT_MAX_LENGTH)
    completed = models.BooleanField(default=False, db_default=False)
    order = models.IntegerField(default=0, db_default=0, help_text="The client's own ordering")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The database's triggers count it up with each change: of one user's, in the order of commits.
    revision = models.BigIntegerField(db_default=0, editable=False)

    objects = TaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="task_user_id_not_empty", condition=~Q(user_id="")),
            models.CheckConstraint(
                name="task_text_length",
                condition=LessThanOrEqual(Length("text"), TEXT_MAX_LENGTH),
            ),
            models.CheckConstraint(
                name="task_text_not_blank",
                condition=GreaterThan(Length(Func("text", Value(ASCII_WHITESPACE), function="BTRIM")), 0),
            ),
            models.CheckConstraint(
                name="task_completed_has_completed_at",
                condition=Q(completed=True, completed_at__isnull=False) | Q(completed=False, completed_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["user_id", "-created_at", "-id"], name="task_user_newest_first"),
            # For the other sorts, and for the open tasks of whoever has done many: 1 to 2 µs of each insert, each.
            models.Index(fields=["user_id", "-updated_at", "-id"], name="task_user_last_changed"),
            models.Index(fields=["user_id", "order", "-created_at", "-id"], name="task_user_in_order"),
            models.Index(fields=["user_id", "completed", "-created_at", "-id"], name="task_user_open_or_done"),
            models.Index(fields=["user_id", "revision"], name="task_user_revision"),
            # For operators, who look at the tasks of all users: 1 and 9 µs of each insert. What waits to be sorted into
            # the words is kept short, so that nobody has to sort in much of it at once.
            models.Index(fields=["-created_at", "-id"], name="task_of_all_newest_first", condition=Q(revision__gte=0)),
            GinIndex(WORDS, name="task_words", gin_pending_list_limit=512),
        ]

    def __str__(self) -> str:
        """Not the text: what the admin's history notes outlives an erased user."""
        return str(self.pk)


class Tombstone(models.Model):  # noqa: DJ008 (nobody sees one)
    """What is kept of a deleted task, by the database's triggers, so that every copy of the list learns of it."""

    pk = models.CompositePrimaryKey("user_id", "task_id")
    user_id = models.CharField(max_length=USER_ID_MAX_LENGTH)
    task_id = models.UUIDField()
    revision = models.BigIntegerField()
    deleted_at = models.DateTimeField()

    objects = OwnedQuerySet["Tombstone"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user_id", "revision"], name="tombstone_user_revision"),
            models.Index(fields=["deleted_at"], name="tombstone_deleted_at"),
        ]


class IdempotencyKeyQuerySet(OwnedQuerySet["IdempotencyKey"]):
    def living(self) -> Self:
        return self.filter(created_at__gt=Now() - ANSWERS_KEPT)

    def expired(self) -> Self:
        return self.filter(created_at__lte=Now() - ANSWERS_KEPT)


class IdempotencyKey(models.Model):  # noqa: DJ008 (nobody sees one)
    """The answer to a request of a user's that came with this key. An expired one is free, and may be written over."""

    pk = models.CompositePrimaryKey("user_id", "key")
    user_id = models.CharField(max_length=USER_ID_MAX_LENGTH)
    key = models.CharField(max_length=IDEMPOTENCY_KEY_MAX_LENGTH)
    digest = models.BinaryField(help_text="Of the method, the path and the input")
    status = models.SmallIntegerField()
    headers = models.JSONField(help_text="Those of this answer alone: Location, say")
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_oldest_first")]  # for manage.py purge
