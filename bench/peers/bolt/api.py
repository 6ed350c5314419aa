"""The operations, with the ORM called in each: django-bolt looks for that to decide what runs in a thread."""

from typing import Annotated, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection
from django_bolt import JSON, BoltAPI, Request
from django_bolt.auth import IsAuthenticated, JWTAuthentication
from django_bolt.exceptions import HTTPException
from django_bolt.logging import LoggingConfig
from django_bolt.responses import PlainText
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from bench.peers.tasks.models import Task

FIELDS = ("id", "user_id", "text", "completed", "order", "created_at", "updated_at", "completed_at")

Text = Annotated[str, Meta(min_length=1, max_length=500)]
Order = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Limit = Annotated[int, Meta(ge=1, le=500)]

# Every request is logged, and not only slow ones, which is its default.
api = BoltAPI(
    logging_config=LoggingConfig(logger_name="requests", request_log_fields={"method", "path", "status_code"})
)
for_users = {
    "auth": [JWTAuthentication(secret=settings.JWT_SECRET, algorithms=["HS256"])],
    "guards": [IsAuthenticated()],
}


class NewTask(Struct):
    text: Text
    completed: bool = False
    order: Order = 0


class TaskReplacement(Struct):
    text: Text
    completed: bool
    order: Order = 0


class TaskChanges(Struct, omit_defaults=True):
    text: Text | UnsetType = UNSET
    completed: bool | UnsetType = UNSET
    order: Order | UnsetType = UNSET


def user_of(request: Request) -> str:
    return request.context["user_id"]


def row(task: Task) -> dict[str, Any]:
    return {name: getattr(task, name) for name in FIELDS}


def not_found() -> HTTPException:
    return HTTPException(status_code=404, detail="Task not found")


@api.get("/tasks", **for_users)
def list_tasks(request: Request, limit: Limit | None = None) -> dict[str, Any]:
    own = Task.objects.filter(user_id=user_of(request))
    tasks = list(own.values(*FIELDS)[:limit])
    return {"tasks": tasks, "count": len(tasks) if limit is None else own.count()}


@api.post("/tasks", **for_users)
def create_task(request: Request, new: NewTask) -> Any:  # noqa: ANN401 (its return type is taken for the type of the body)
    task = Task.objects.create(user_id=user_of(request), **structs.asdict(new))
    return JSON(row(task), status_code=201, headers={"Location": f"/tasks/{task.id}"})


@api.get("/tasks/{task_id}", **for_users)
def get_task(request: Request, task_id: UUID) -> dict[str, Any]:
    try:
        return Task.objects.values(*FIELDS).get(user_id=user_of(request), id=task_id)
    except Task.DoesNotExist:
        raise not_found() from None


@api.put("/tasks/{task_id}", **for_users)
def replace_task(request: Request, task_id: UUID, replacement: TaskReplacement) -> dict[str, Any]:
    try:
        task = Task.objects.get(user_id=user_of(request), id=task_id)
    except Task.DoesNotExist:
        raise not_found() from None
    for name, value in structs.asdict(replacement).items():
        setattr(task, name, value)
    task.save()
    return row(task)


@api.patch("/tasks/{task_id}", **for_users)
def update_task(request: Request, task_id: UUID, changes: TaskChanges) -> dict[str, Any]:
    try:
        task = Task.objects.get(user_id=user_of(request), id=task_id)
    except Task.DoesNotExist:
        raise not_found() from None
    for name, value in structs.asdict(changes).items():
        if value is not UNSET:
            setattr(task, name, value)
    task.save()
    return row(task)


@api.delete("/tasks/{task_id}", **for_users)
def delete_task(request: Request, task_id: UUID) -> Any:  # noqa: ANN401 (its return type is taken for the type of the body)
    deleted, _ = Task.objects.filter(user_id=user_of(request), id=task_id).delete()
    if not deleted:
        raise not_found()
    return PlainText("", status_code=204)


def answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


@api.get("/health")
async def health() -> Any:  # noqa: ANN401 (its return type is taken for the type of the body)
    if await sync_to_async(answers)():
        return JSON({"status": "healthy", "database": "connected"})
    return JSON({"status": "unhealthy", "database": "disconnected"}, status_code=503)
