"""What the operations answer with: JSON as it comes from the database."""

from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie

from django.http import HttpResponse
from django.http.response import ResponseHeaders

from tasks.queries import Tagged

_CACHING = {"Cache-Control": "private, no-cache"}  # a browser may keep it, and has to ask before it shows it
_EVERYWHERE = {"Content-Type": "application/json"} | _CACHING


class Answer(HttpResponse):
    """Of JSON that is ready, with headers that are ours: nothing to encode, to look for line breaks in, to look up."""

    def __init__(self, content: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.headers = ResponseHeaders({})
        self.headers._store = {name.lower(): (name, value) for name, value in headers.items()}
        self.cookies = SimpleCookie()
        self.status_code, self.closed = status, False
        self._container = [content]
        self._resource_closers: list[Callable[[], None]] = []
        self._charset = self._reason_phrase = self._handler_class = None


def json_answer(content: str, status: int = 200, **headers: str) -> HttpResponse:
    """JSON, with headers beside those that all answers about tasks have."""
    return Answer(content.encode(), status, _EVERYWHERE | headers)


def task_answer(task: Tagged, status: int = 200, **headers: str) -> HttpResponse:
    """One task, with its entity tag."""
    return json_answer(task.json, status, ETag=task.tag, **headers)


def not_modified(tag: str) -> HttpResponse:
    """304: the caller has it already."""
    return Answer(b"", 304, _CACHING | {"ETag": tag})


def no_content() -> HttpResponse:
    """204: it is done, and there is nothing to show."""
    return Answer(b"", 204, _CACHING)
