"""What a user can do with tasks: one function an operation, one statement each, always within the user's own.

Another user's task is a missing task: both raise Task.DoesNotExist, after the same statement.
"""

from typing import Any
from uuid import UUID

from tasks.models import Row, Task


def list_tasks(user_id: str) -> list[Row]:
    """The user's tasks, newest first."""
    return list(Task.objects.owned_by(user_id).newest_first().rows())


def create_task(user_id: str, values: dict[str, Any]) -> Row:
    """Add a task of the user's."""
    return Task.objects.add(user_id=user_id, **values)


def get_task(user_id: str, task_id: UUID) -> Row:
    """One of the user's tasks."""
    return Task.objects.owned_by(user_id).rows().get(id=task_id)


def update_task(user_id: str, task_id: UUID, values: dict[str, Any]) -> Row:
    """Set `values`; without any, nothing is written."""
    if not values:
        return get_task(user_id, task_id)
    for row in Task.objects.owned_by(user_id).filter(id=task_id).change(**values):
        return row
    raise Task.DoesNotExist


def delete_task(user_id: str, task_id: UUID) -> None:
    """Delete one of the user's tasks for good."""
    if not Task.objects.owned_by(user_id).filter(id=task_id).remove():
        raise Task.DoesNotExist


def erase_user(user_id: str, using: str | None = None) -> int:
    """Delete all that is kept of a user, also what is written meanwhile, and return how many tasks that were."""
    erased = 0
    while count := Task.objects.using(using).owned_by(user_id).remove():
        erased += count
    return erased
