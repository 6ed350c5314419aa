"""The seven operations on tasks. Each takes its typed input, makes one query, and answers."""

from django.http import HttpRequest, HttpResponse
from ninja import Router

from authjwt.principal import Principal
from tasks import queries
from tasks.schemas import NewTask, Task, TaskChanges, TaskID, TaskList, TaskReplacement, task_json, task_list_json

router = Router(tags=["Tasks"])

CACHING = {"Cache-Control": "private, no-cache"}  # a browser may keep it, and has to ask before it shows it


class AuthenticatedRequest(HttpRequest):
    """A request that passed the API's authentication."""

    auth: Principal


def _json(content: bytes, status: int = 200, **headers: str) -> HttpResponse:
    return HttpResponse(
        content,
        status=status,
        content_type="application/json",
        headers=CACHING | headers,
    )


@router.get("", operation_id="listTasks", summary="List tasks", response=TaskList)
def list_tasks(request: AuthenticatedRequest) -> HttpResponse:
    """The caller's tasks, newest first."""
    return _json(task_list_json(queries.list_tasks(request.auth.user_id)))


@router.post("", operation_id="createTask", summary="Create a task", response={201: Task})
def create_task(request: AuthenticatedRequest, task: NewTask) -> HttpResponse:
    """Create a task of the caller's. Fields that the server decides are ignored."""
    row = queries.create_task(request.auth.user_id, task.values)
    return _json(task_json(row), 201, Location=f"/tasks/{row['id']}")


@router.get("/{task_id}", operation_id="getTask", summary="Get a task", response=Task)
def get_task(request: AuthenticatedRequest, task_id: TaskID) -> HttpResponse:
    """One task of the caller's."""
    return _json(task_json(queries.get_task(request.auth.user_id, task_id)))


@router.put("/{task_id}", operation_id="replaceTask", summary="Replace a task", response=Task)
def replace_task(request: AuthenticatedRequest, task_id: TaskID, task: TaskReplacement) -> HttpResponse:
    """Set all that a client decides of a task. A task that does not exist is not created."""
    return _json(task_json(queries.update_task(request.auth.user_id, task_id, task.model_dump())))


@router.patch("/{task_id}", operation_id="updateTask", summary="Change a task", response=Task)
def update_task(request: AuthenticatedRequest, task_id: TaskID, changes: TaskChanges) -> HttpResponse:
    """Set the given fields of a task and leave the others as they are."""
    return _json(task_json(queries.update_task(request.auth.user_id, task_id, changes.given)))


@router.delete("/{task_id}", operation_id="deleteTask", summary="Delete a task", response={204: None})
def delete_task(request: AuthenticatedRequest, task_id: TaskID) -> HttpResponse:
    """Delete a task for good."""
    queries.delete_task(request.auth.user_id, task_id)
    return HttpResponse(status=204, headers=CACHING)
