"""The task: its fields, the rules the database holds, and the vocabulary every query is made of."""

from __future__ import annotations

import datetime as dt
from functools import reduce
from operator import or_
from typing import Any, Self, cast

import uuid6
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Coalesce, Greatest, Length, Now
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from tasks import returning

TEXT_MAX_LENGTH = 500  # Unicode code points
USER_ID_MAX_LENGTH = 255
ORDER_MIN, ORDER_MAX = -(2**31), 2**31 - 1
ASCII_WHITESPACE = " \t\n\v\f\r"  # what the database can judge whatever its locale; the API refuses Unicode's too

WIRE_FIELDS = ("id", "user_id", "text", "completed", "order", "created_at", "updated_at", "completed_at")

Row = dict[str, Any]  # one task as the API shows it: WIRE_FIELDS and their values

WORDS = SearchVector("text", config="simple")  # of any language, as they stand

# The statement's clock, but always later than the last change: also when the clock steps back, and for the second of
# two writers, whose statement started before the first one's ended.
_CHANGE_TIME = Greatest(Now(), F("updated_at") + Value(dt.timedelta(microseconds=1)))


class TaskQuerySet(models.QuerySet["Task"]):
    def owned_by(self, user_id: str) -> Self:
        """The one gate: every read and write on behalf of a user starts here."""
        return self.filter(user_id=user_id)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def rows(self) -> models.QuerySet[Task, Row]:
        return cast("models.QuerySet[Task, Row]", self.values(*WIRE_FIELDS))

    def add(self, *, completed: bool = False, **values: Any) -> Row:  # noqa: ANN401 (user_id, text, order, id)
        """Insert one task, in one statement, and return it; the same `id` again returns the task that is there."""
        task = Task(**values, completed=completed, completed_at=Now() if completed else None)
        return returning.insert_once(self, task, WIRE_FIELDS)

    def change(self, **values: Any) -> list[Row]:  # noqa: ANN401 (any of text, completed, order)
        """Set `values` on every task of the queryset, in one statement, and return them as they are then.

        The database decides `completed_at` and `updated_at` from the row as it finds it under its lock.
        """
        # The columns are not null, so `<>` says all there is to say about a difference.
        differs = reduce(or_, (~Q(**{name: value}) for name, value in values.items()))
        derived: Row = {"updated_at": Case(When(differs, then=_CHANGE_TIME), default=F("updated_at"))}
        if "completed" in values:
            derived["completed_at"] = Coalesce(F("completed_at"), _CHANGE_TIME) if values["completed"] else None
        return returning.update(self, values | derived, WIRE_FIELDS)

    def remove(self) -> int:
        """Delete the queryset's tasks in one statement and return how many there were. Nothing refers to a task."""
        return self._raw_delete(self.db)


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
            # For operators, who look at the tasks of all users: 1 and 9 µs of each insert. What waits to be sorted into
            # the words is kept short, so that nobody has to sort in much of it at once.
            models.Index(fields=["-created_at", "-id"], name="task_newest_first"),
            GinIndex(WORDS, name="task_words", gin_pending_list_limit=512),
        ]

    def __str__(self) -> str:
        """Not the text: what the admin's history notes outlives an erased user."""
        return str(self.pk)
