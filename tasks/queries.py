"""What a user can do with tasks: one function an operation, one statement each, always within the user's own.

Another user's task is a missing task: both raise Task.DoesNotExist, after the same statement. A task is returned as
JSON, in the shape of `schemas.Task`, as PostgreSQL wrote it, with its entity tag.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Count

from tasks import idempotency, statements, turns
from tasks.models import AS_JSON, AS_TAG, CLIENT_FIELDS, IdempotencyKey, Task, TaskQuerySet, Tombstone, tag_among
from tasks.preconditions import ALWAYS, PreconditionFailed, Preconditions
from tasks.statements import Parameter, Statement

UNIQUE_VIOLATION = "23505"
DELETED_AT_ONCE = 10_000  # by one statement: the database gives the API's role 4 seconds for it


class Tagged(NamedTuple):
    """A task, and the entity tag of what it is now."""

    json: str
    tag: str


def create_task(user_id: str, values: dict[str, Any]) -> Tagged:
    """Add a task of the user's; the same id again returns the task that is there."""
    try:
        return _found(creating().rows(user_id=user_id, **values))
    except IntegrityError as exc:
        if getattr(exc.__cause__, "sqlstate", None) != UNIQUE_VIOLATION:
            raise
        return get_task(user_id, values["id"])


def create_task_once(key: idempotency.Key, values: dict[str, Any], headers: Mapping[str, str]) -> idempotency.Answer:
    """Add a task of the user's, unless the key says that it was done; the answer has that task, and `headers`."""
    return idempotency.insert_once(key, _create_once(), 201, headers, values)


def get_task(user_id: str, task_id: UUID) -> Tagged:
    """One of the user's tasks."""
    return _found(getting().rows(user_id=user_id, id=task_id))


def update_task(user_id: str, task_id: UUID, values: dict[str, Any], when: Preconditions = ALWAYS) -> Tagged:
    """Set `values`; without any, nothing is written. Raises PreconditionFailed."""
    if not values or when.unless_any:
        return checked(user_id, task_id, when)
    rows = updating(tuple(values), when.parts).rows(user_id=user_id, id=task_id, **values, **when.values)
    return Tagged(*rows[0]) if rows else refused(user_id, task_id, when)


def delete_task(user_id: str, task_id: UUID, when: Preconditions = ALWAYS) -> None:
    """Delete one of the user's tasks for good. Raises PreconditionFailed."""
    if when.unless_any:
        checked(user_id, task_id, when)
    elif not deleting(when.parts).count(user_id=user_id, id=task_id, **when.values):
        refused(user_id, task_id, when)


def erase_user(user_id: str, using: str | None = None) -> int:
    """Delete all that is kept of a user, also what is written meanwhile, and return how many tasks that were."""
    tasks = Task.objects.using(using).owned_by(user_id)
    erased = 0
    while tasks.exists():
        erased += tasks.filter(pk__in=tasks.values("pk")[:DELETED_AT_ONCE]).remove()
    Tombstone.objects.using(using).owned_by(user_id).remove()
    IdempotencyKey.objects.using(using).owned_by(user_id).remove()
    return erased


def counts(user_id: str) -> dict[str, int]:
    """How many of the user's tasks are `open` and `completed`."""
    of = dict(_by_state().rows(user_id=user_id))
    return {"open": of.get(False, 0), "completed": of.get(True, 0)}


def _found(rows: list[tuple[str, str]]) -> Tagged:
    for row in rows:
        return Tagged(*row)
    raise Task.DoesNotExist


def checked(user_id: str, task_id: UUID, when: Preconditions) -> Tagged:
    """The task, if it meets the preconditions. Raises PreconditionFailed."""
    task = get_task(user_id, task_id)
    when.check(task.tag)
    return task


def clear_completed(user_id: str) -> int:
    """Delete the user's completed tasks, some thousands by each message, and return how many there were.

    Each message takes the user's turn first: where it finds fewer than it may delete, there are no more.
    """
    who, cleared = {"user_id": user_id}, 0
    while True:
        _, deleted = statements.together([(turns.OF_USER, who), (_clear(DELETED_AT_ONCE), who)])
        cleared += len(deleted)
        if len(deleted) < DELETED_AT_ONCE:
            return cleared


def refused(user_id: str, task_id: UUID, when: Preconditions) -> NoReturn:
    """Nothing was written: because there is no such task, or because it is not what it had to be."""
    if when.parts:
        get_task(user_id, task_id)
        raise PreconditionFailed
    raise Task.DoesNotExist


@cache
def creating() -> Statement:
    """INSERT a task, and return it as `getting` does."""
    names = ("id", "user_id", *CLIENT_FIELDS)
    return Task.objects.adding({name: parameter(name) for name in names}, [AS_JSON, AS_TAG]).prepared()


@cache
def _create_once() -> Statement:
    return idempotency.inserting(creating())


@cache
def getting(preconditions: tuple[str, ...] = ()) -> Statement:
    """SELECT one task, as JSON and with its tag."""
    return statements.select(chosen(preconditions).as_json_with_tag()).prepared()


@cache
def updating(names: tuple[str, ...], preconditions: tuple[str, ...]) -> Statement:
    """UPDATE these fields of one task, and return it as `getting` does."""
    return chosen(preconditions).changing({name: parameter(name) for name in names}, [AS_JSON, AS_TAG]).prepared()


@cache
def deleting(preconditions: tuple[str, ...]) -> Statement:
    """DELETE one task."""
    return chosen(preconditions).removing().prepared()


@cache
def _clear(most: int) -> Statement:
    return own().filter(pk__in=own().filter(completed=True).values("pk")[:most]).removing()


@cache
def _by_state() -> Statement:
    return statements.select(own().values_list("completed").annotate(Count("id"))).prepared()


def chosen(preconditions: tuple[str, ...]) -> TaskQuerySet:
    """The one task, if it meets the preconditions: judged under the lock, so that of two writers one wins."""
    task = Task.objects.one_of(parameter("user_id"), parameter("id"))
    if "match" in preconditions:
        task = task.filter(tag_among("match"))
    return task.exclude(tag_among("none_match")) if "none_match" in preconditions else task


def own() -> TaskQuerySet:
    """The tasks of the user that a statement is told when it runs."""
    return Task.objects.owned_by(parameter("user_id"))


def parameter(name: str) -> Parameter:
    """The value of a field that a statement is told when it runs."""
    return Parameter(name, Task._meta.get_field(name))
