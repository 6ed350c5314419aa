"""Whether a system does the work: the same requests have the same answers everywhere, or there is no race to win."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from bench.ask import ask
from bench.cases import Tasks, token
from bench.data import LARGE_USER, PER_USER
from bench.systems import Running

BODY_FIELDS = ("text", "completed", "order", "user_id")
OTHER_SECRET = "another-secret-of-the-bench-of-more-than-32-bytes"  # noqa: S105 (of no value)


class Differs(Exception):
    """A system does not answer as it should."""


def check(running: Running, tasks: Tasks, agreed: dict[str, Any]) -> None:
    """Ask everything; `agreed` has, by request, what those before answered. Raises Differs at the first difference.

    Left out is what is a system's own: the ids it gives, and the times.
    """
    for what, got in _Conversation(running, tasks).hold():
        wanted = agreed.setdefault(what, got)
        if got != wanted:
            raise Differs(f"{running.system.name}: {what}: {got!r:.500}\nexpected: {wanted!r:.500}")


class _Conversation:
    def __init__(self, running: Running, tasks: Tasks) -> None:
        self._port, self._verifies = running.port, running.system.verifies
        self._task, self._user = tasks.owned[0]
        self._other = next(user for _, user in tasks.owned if user != self._user)
        self._tasks = tasks

    def hold(self) -> Iterator[tuple[str, Any]]:
        yield from self._reads()
        yield from self._writes()
        yield from self._refusals()

    def _reads(self) -> Iterator[tuple[str, Any]]:
        yield "GET /tasks/{id}", self._ask("GET", f"/tasks/{self._task}")
        status, everything = self._ask("GET", "/tasks")
        yield "GET /tasks", (status, everything["tasks"], everything["count"])
        status, page = self._ask("GET", f"/tasks?limit={PER_USER}", user=LARGE_USER)
        if status == HTTPStatus.OK:
            yield "page", (page["count"], [task["id"] for task in page["tasks"]])

    def _writes(self) -> Iterator[tuple[str, Any]]:
        status, task = self._ask("POST", "/tasks", {"text": "Mow the lawn", "order": 3})
        yield "POST /tasks", (status, _own(task), sorted(task), task["created_at"] is not None)
        path = f"/tasks/{task['id']}"
        bodies = [
            ("PATCH", {"completed": True}),
            ("PATCH", {"text": "Mow"}),
            ("PATCH", {"completed": False}),
            ("PUT", {"text": "Rake leaves", "completed": True}),
        ]
        for method, body in bodies:
            status, changed = self._ask(method, path, body)
            moved = changed["updated_at"] > task["updated_at"] and changed["created_at"] == task["created_at"]
            yield f"{method} {body}", (status, _own(changed), moved, changed["completed_at"] is not None)
            task = changed
        yield "GET after the changes", self._ask("GET", path) == (HTTPStatus.OK, task)
        yield "number of tasks then", self._ask("GET", "/tasks")[1]["count"]
        yield "DELETE", self._ask("DELETE", path)
        yield "GET what is gone", self._ask("GET", path)[0]

    def _refusals(self) -> Iterator[tuple[str, Any]]:
        yield "GET of another's", self._ask("GET", f"/tasks/{self._task}", user=self._other)[0]
        yield "PATCH of another's", self._ask("PATCH", f"/tasks/{self._task}", {"text": "Mine"}, user=self._other)[0]
        yield "DELETE of another's", self._ask("DELETE", f"/tasks/{self._task}", user=self._other)[0]
        yield "GET of nobody's", self._ask("GET", f"/tasks/{uuid4()}")[0]
        if self._verifies:
            yield "a forged token", ask(self._port, "GET", "/tasks", token(self._user, OTHER_SECRET))[0]
            yield "no token", ask(self._port, "GET", "/tasks")[0]
            yield "an empty text", self._ask("POST", "/tasks", {"text": ""})[0] in {400, 422}

    def _ask(self, method: str, path: str, body: object = None, user: str | None = None) -> tuple[int, Any]:
        return ask(self._port, method, path, self._tasks.tokens[user or self._user], body)


def _own(task: dict[str, Any]) -> dict[str, Any]:
    """What the client decided of a task."""
    return {name: task[name] for name in BODY_FIELDS}
