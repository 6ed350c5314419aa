"""Another user's task is a missing task: same status, same body, and not a byte of it changed."""

import uuid
from collections.abc import Callable

import pytest

from tests.client import Answer, User
from tests.shapes import assert_error

OPERATIONS: list[tuple[str, dict[str, object] | None]] = [
    ("GET", None),
    ("HEAD", None),
    ("PUT", {"text": "stolen", "completed": True}),
    ("PATCH", {"text": "stolen"}),
    ("PATCH", {"completed": True}),
    ("PATCH", {}),
    ("PATCH", {"id": "x"}),
    ("DELETE", None),
]

FORMS: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "no hyphens": lambda task_id: task_id.replace("-", ""),
    "braces": lambda task_id: f"{{{task_id}}}",
    "urn": lambda task_id: f"urn:uuid:{task_id}",
    "percent-encoded": lambda task_id: "".join(f"%{ord(character):02x}" for character in task_id),
    "trailing slash": lambda task_id: f"{task_id}/",
    "trailing space": lambda task_id: f"{task_id}%20",
    "trailing line feed": lambda task_id: f"{task_id}%0a",
    "trailing NUL": lambda task_id: f"{task_id}%00",
    "dot segment": lambda task_id: f"./{task_id}",
    "double slash": lambda task_id: f"/{task_id}",
    "matrix parameter": lambda task_id: f"{task_id};user_id=alice",
}


def _comparable(answer: Answer, task_id: str) -> tuple[int, bytes, set[str]]:
    body = answer.body.replace(task_id.encode(), b"ID").replace(task_id.upper().encode(), b"ID")
    return answer.status, body, set(answer.headers) - {"date", "x-request-id"}


@pytest.mark.parametrize(
    ("method", "document", "form"),
    [(*operation, str) for operation in OPERATIONS]
    + [
        pytest.param(method, None, form, id=f"{method} {name}")
        for name, form in FORMS.items()
        for method in ("GET", "DELETE")
    ],
)
def test_foreign_task_looks_like_a_missing_one(
    alice: User, bob: User, method: str, document: dict[str, object] | None, form: Callable[[str], str]
) -> None:
    task, missing = alice.task(order=3), str(uuid.uuid4())
    foreign_answer = bob.call(method, f"/tasks/{form(task['id'])}", document)
    missing_answer = bob.call(method, f"/tasks/{form(missing)}", document)
    assert foreign_answer.status in {404, 422}
    assert _comparable(foreign_answer, task["id"]) == _comparable(missing_answer, missing)
    assert alice.get(f"/tasks/{task['id']}").json == task


def test_list_shows_only_the_callers_tasks(alice: User, bob: User) -> None:
    alice.task("hers")
    his = bob.task("his")
    assert bob.get("/tasks").json == {"tasks": [his], "count": 1, "next_cursor": None}


def test_export_and_counts_are_of_the_callers_tasks_only(alice: User, bob: User) -> None:
    alice.task("hers", completed=True)
    his = bob.task("his")
    assert bob.get("/me/export").json == {"tasks": [his]}
    for form in ("csv", "ics"):
        assert b"hers" not in bob.get(f"/me/export?format={form}").body
    assert bob.get("/me").json["counts"] == {"open": 1, "completed": 0}


def test_erase_leaves_other_users_alone(alice: User, bob: User) -> None:
    hers = alice.task()
    bob.task()
    assert_error(bob.delete(f"/me?confirm={alice.sub}"), 422, "confirm: ")
    assert bob.delete(f"/me?confirm={bob.sub}").status == 204
    assert alice.get("/tasks").json["tasks"] == [hers]


def test_user_id_in_a_body_never_counts(alice: User, bob: User) -> None:
    task = bob.task(user_id=alice.sub)
    assert task["user_id"] == bob.sub
    assert bob.patch(f"/tasks/{task['id']}", {"user_id": alice.sub}).json == task
    assert alice.get("/tasks").json["count"] == 0


def test_id_in_a_body_never_counts(alice: User, bob: User) -> None:
    hers, his = alice.task(), bob.task()
    bob.patch(f"/tasks/{his['id']}", {"id": hers["id"], "text": "stolen"})
    assert bob.post("/tasks", {"id": hers["id"], "text": "stolen"}).json["id"] != hers["id"]
    assert alice.get(f"/tasks/{hers['id']}").json == hers


@pytest.mark.parametrize("name", ["user_id", "user", "sub", "userId"])
def test_user_id_in_a_query_never_counts(alice: User, bob: User, name: str) -> None:
    alice.task()
    assert_error(bob.get(f"/tasks?{name}={alice.sub}"), 422, f"{name}: ")


@pytest.mark.parametrize(
    "name", ["X-User-Id", "User-Id", "X-Forwarded-User", "Remote-User", "Cookie", "X-Authorization"]
)
def test_user_id_in_a_header_never_counts(alice: User, bob: User, name: str) -> None:
    alice.task()
    value = f"user_id={alice.sub}" if name == "Cookie" else str(alice.sub)
    assert bob.get("/tasks", headers={name: value}).json == {"tasks": [], "count": 0, "next_cursor": None}


@pytest.mark.parametrize("path", ["/{sub}/tasks", "/users/{sub}/tasks", "/tasks/user/{sub}", "/api/{sub}/tasks"])
def test_user_id_in_a_path_never_counts(alice: User, bob: User, path: str) -> None:
    alice.task()
    assert_error(bob.get(path.format(sub=alice.sub)), 404)


def test_users_that_differ_by_a_blank_or_by_case_are_different(alice: User) -> None:
    alice.task()
    for other in (f"{alice.sub} ", f"{alice.sub}x", str(alice.sub).upper()):
        answer = User(alice.transport, other).get("/tasks")
        assert answer.status == 401 or answer.json["count"] == 0
