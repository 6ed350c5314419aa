"""What operators did, in the admin's own history. It says which task, never what its text was."""

from collections.abc import Iterable
from typing import cast
from uuid import UUID

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest

from tasks.models import Task

REPR_MAX_LENGTH = 200


def note_tasks(request: HttpRequest, ids: Iterable[UUID], flag: int, message: str) -> None:
    """Note of each of the tasks what was done with it."""
    tasks = cast("QuerySet[Task]", [Task(pk=task_id) for task_id in ids])  # a list is all that is needed
    LogEntry.objects.log_actions(_operator(request), tasks, flag, message)


def note_erasure(request: HttpRequest, user_id: str, erased: int) -> None:
    """Note that a user was erased: the id is all that stays, for whoever asks whether it was done."""
    LogEntry.objects.create(
        user_id=_operator(request),
        content_type=ContentType.objects.get_for_model(Task),
        object_id=user_id,
        object_repr=f"User {user_id}"[:REPR_MAX_LENGTH],
        action_flag=DELETION,
        change_message=f"Erased the user, with {erased} tasks.",
    )


def erasures(user_id: str) -> QuerySet[LogEntry]:
    """When this user was erased, the last time first."""
    task = ContentType.objects.get_for_model(Task)
    return LogEntry.objects.filter(content_type=task, object_id=user_id, action_flag=DELETION).select_related("user")


def _operator(request: HttpRequest) -> int:
    return cast("int", request.user.pk)
