"""What the operations answer with: JSON as it comes from the database."""

from django.http import HttpResponse

from tasks.queries import Tagged
from tasks.schemas import CACHING


def json_answer(content: str, status: int = 200, **headers: str) -> HttpResponse:
    """JSON, with headers beside those that all answers about tasks have."""
    response = HttpResponse(content.encode(), status=status, content_type="application/json")
    for name, value in (CACHING | headers).items():
        response.headers._store[name.lower()] = (name, value)  # ours: there are no line breaks to look for
    return response


def task_answer(task: Tagged, status: int = 200, **headers: str) -> HttpResponse:
    """One task, with its entity tag."""
    return json_answer(task.json, status, ETag=task.tag, **headers)


def not_modified(tag: str) -> HttpResponse:
    """304: the caller has it already."""
    response = HttpResponse(status=304, headers=CACHING | {"ETag": tag})
    del response["Content-Type"]
    return response
