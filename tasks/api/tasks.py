"""The operations on one task, on lists of them, and on what changed. Each makes one query."""

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from tasks import changes, listing, queries
from tasks.api import retries
from tasks.api.answers import json_answer, no_content, not_modified, task_answer
from tasks.api.request import AuthenticatedRequest
from tasks.parameters import ListParameters
from tasks.preconditions import PreconditionFailed, Preconditions
from tasks.schemas import (
    ABSENT,
    LIMIT_MAX,
    Limit,
    NewTask,
    Since,
    Task,
    TaskChanges,
    TaskChangesSince,
    TaskID,
    TaskList,
    TaskReplacement,
    list_json,
)

router = Router(tags=["Tasks"])


@router.get("", operation_id="listTasks", summary="List tasks", response=TaskList)
def list_tasks(request: AuthenticatedRequest, wanted: Query[ListParameters]) -> HttpResponse:
    """The caller's tasks, newest first, or those that match, in another order, page by page.

    Follow `next_cursor`, or the `Link` header, until it is null. Whatever is written meanwhile, a task that is there
    throughout comes exactly once; with `sort` by a field that changes, one that is changed meanwhile may come again, or
    not at all. 304 without them, if `If-None-Match` names what they are now.
    """
    user_id, query, when = request.auth.user_id, request.META["QUERY_STRING"], Preconditions.of(request.META)
    known = listing.known_tag(user_id, query) if when.none_match else None
    if known and when.known(known.value):
        return not_modified(known.value)
    page = listing.read(user_id, wanted)
    body = list_json(page.tasks, page.count, page.next_cursor)
    tag = listing.tag(body)
    if known:
        listing.remember_tag(user_id, query, known._replace(value=tag))
    if when.known(tag):
        return not_modified(tag)
    response = json_answer(body, ETag=tag)
    if page.next_cursor:
        response["Link"] = _link(request, page.next_cursor)
    return response


def _link(request: HttpRequest, cursor: str) -> str:
    query = request.GET.copy()
    query["cursor"] = cursor
    return f'<{request.path}?{query.urlencode()}>; rel="next"'


@router.post("", operation_id="createTask", summary="Create a task", response={201: Task})
def create_task(request: AuthenticatedRequest, task: NewTask) -> HttpResponse:
    """Create a task of the caller's. Fields that the server decides are ignored."""
    location = {"Location": f"/tasks/{task.id}"}
    if key := retries.key_of(request, task):
        return retries.response(queries.create_task_once(key, task.given, location))
    return task_answer(queries.create_task(request.auth.user_id, task.given), 201, **location)


@router.get("/changes", operation_id="listChanges", summary="What changed", response=TaskChangesSince)
def list_changes(request: AuthenticatedRequest, since: Since = ABSENT, limit: Limit = LIMIT_MAX) -> HttpResponse:
    """Every change and deletion of the caller's tasks since the last answer, in order: for a copy that is kept.

    Each task comes once, as it is now; nothing is left out, whoever writes meanwhile. Ask again at once while
    `has_more` is true. The same `since` may be sent again. One that is older than 30 days is answered with 410: drop
    the copy, and start again without it.
    """
    return json_answer(changes.read(request.auth.user_id, since, limit))


@router.get("/{task_id}", operation_id="getTask", summary="Get a task", response=Task)
def get_task(request: AuthenticatedRequest, task_id: TaskID) -> HttpResponse:
    """One task of the caller's; 304 without it, if `If-None-Match` names what it is now."""
    when = Preconditions.of(request.META)
    task = queries.get_task(request.auth.user_id, task_id)
    if not when.met_by(task.tag):
        raise PreconditionFailed
    return not_modified(task.tag) if when.known(task.tag) else task_answer(task)


@router.put("/{task_id}", operation_id="replaceTask", summary="Replace a task", response=Task)
def replace_task(request: AuthenticatedRequest, task_id: TaskID, task: TaskReplacement) -> HttpResponse:
    """Set all that a client decides of a task. A task that does not exist is not created."""
    when = Preconditions.of(request.META)
    return task_answer(queries.update_task(request.auth.user_id, task_id, task.given, when))


@router.patch("/{task_id}", operation_id="updateTask", summary="Change a task", response=Task)
def update_task(request: AuthenticatedRequest, task_id: TaskID, changes: TaskChanges) -> HttpResponse:
    """Set the given fields of a task and leave the others as they are."""
    when = Preconditions.of(request.META)
    return task_answer(queries.update_task(request.auth.user_id, task_id, changes.given, when))


@router.delete("/{task_id}", operation_id="deleteTask", summary="Delete a task", response={204: None})
def delete_task(request: AuthenticatedRequest, task_id: TaskID) -> HttpResponse:
    """Delete a task for good."""
    queries.delete_task(request.auth.user_id, task_id, Preconditions.of(request.META))
    return no_content()
