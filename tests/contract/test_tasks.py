"""The six operations on tasks, as they succeed."""

import pytest

from tests.client import User
from tests.shapes import assert_error, assert_task

MISSING = "/tasks/01938f3a-1234-7000-8000-000000000001"


def test_create_returns_the_task(alice: User) -> None:
    answer = alice.post("/tasks", {"text": "Buy groceries"})
    assert answer.status == 201
    assert_task(answer.json)
    assert answer.json["user_id"] == alice.sub
    assert (answer.json["text"], answer.json["completed"], answer.json["order"]) == ("Buy groceries", False, 0)
    assert answer.json["created_at"] == answer.json["updated_at"]


def test_create_takes_the_optional_fields(alice: User) -> None:
    task = alice.task(completed=True, order=-7)
    assert_task(task)
    assert (task["completed"], task["order"]) == (True, -7)
    assert task["completed_at"] == task["created_at"]


def test_create_locates_the_task(alice: User) -> None:
    answer = alice.post("/tasks", {"text": "a"})
    assert answer.headers["location"] == f"/tasks/{answer.json['id']}"
    assert alice.get(answer.headers["location"]).json == answer.json


def test_list_of_a_new_user_is_empty(alice: User) -> None:
    assert alice.get("/tasks").json == {"tasks": [], "count": 0, "next_cursor": None}


def test_list_is_newest_first(alice: User) -> None:
    created = [alice.task(f"task {number}") for number in range(5)]
    assert alice.get("/tasks").json == {"tasks": created[::-1], "count": 5, "next_cursor": None}


def test_get_returns_the_task(alice: User) -> None:
    task = alice.task()
    answer = alice.get(f"/tasks/{task['id']}")
    assert (answer.status, answer.json) == (200, task)


def test_get_takes_the_id_in_upper_case(alice: User) -> None:
    task = alice.task()
    assert alice.get(f"/tasks/{task['id'].upper()}").json == task


def test_replace_sets_every_field(alice: User) -> None:
    task = alice.task(order=3)
    answer = alice.put(f"/tasks/{task['id']}", {"text": "b", "completed": True, "order": 9})
    assert answer.status == 200
    assert_task(answer.json)
    assert (answer.json["text"], answer.json["completed"], answer.json["order"]) == ("b", True, 9)
    assert answer.json["created_at"] == task["created_at"]


def test_replace_without_order_resets_it(alice: User) -> None:
    task = alice.task(order=3)
    assert alice.put(f"/tasks/{task['id']}", {"text": "b", "completed": False}).json["order"] == 0


@pytest.mark.parametrize("missing", ["text", "completed"])
def test_replace_requires_text_and_completed(alice: User, missing: str) -> None:
    task = alice.task()
    document = {"text": "b", "completed": True}
    del document[missing]
    assert_error(alice.put(f"/tasks/{task['id']}", document), 422, f"{missing}: ")


def test_replace_does_not_create(alice: User) -> None:
    assert_error(alice.put(MISSING, {"text": "b", "completed": True}), 404)
    assert alice.get("/tasks").json["count"] == 0


@pytest.mark.parametrize(
    "changes", [{"text": "b"}, {"completed": True}, {"order": 5}, {"text": "b", "completed": True, "order": 5}]
)
def test_update_changes_only_what_is_given(alice: User, changes: dict[str, object]) -> None:
    task = alice.task()
    answer = alice.patch(f"/tasks/{task['id']}", changes)
    assert answer.status == 200
    assert_task(answer.json)
    decided_by_us = {"updated_at": answer.json["updated_at"], "completed_at": answer.json["completed_at"]}
    assert answer.json == task | changes | decided_by_us
    assert answer.json["updated_at"] > task["updated_at"]


def test_update_of_nothing_changes_nothing(alice: User) -> None:
    task = alice.task()
    answer = alice.patch(f"/tasks/{task['id']}", {})
    assert (answer.status, answer.json) == (200, task)


def test_update_to_the_same_values_changes_nothing(alice: User) -> None:
    task = alice.task(completed=True, order=2)
    same = {name: task[name] for name in ("text", "completed", "order")}
    assert alice.patch(f"/tasks/{task['id']}", same).json == task
    assert alice.put(f"/tasks/{task['id']}", same).json == task


def test_update_takes_back_what_it_gave(alice: User) -> None:
    """A client may change a field of what it got and send the whole back."""
    task = alice.task()
    answer = alice.patch(f"/tasks/{task['id']}", task | {"text": "b"})
    assert answer.status == 200
    assert answer.json["text"] == "b"


def test_completing_sets_completed_at(alice: User) -> None:
    task = alice.task()
    done = alice.patch(f"/tasks/{task['id']}", {"completed": True}).json
    assert done["completed_at"] == done["updated_at"] > task["created_at"]


def test_staying_complete_keeps_completed_at(alice: User) -> None:
    task = alice.task(completed=True)
    changed = alice.patch(f"/tasks/{task['id']}", {"completed": True, "text": "b"}).json
    assert changed["completed_at"] == task["completed_at"]
    assert changed["updated_at"] > task["updated_at"]


def test_reopening_clears_completed_at(alice: User) -> None:
    task = alice.task(completed=True)
    reopened = alice.patch(f"/tasks/{task['id']}", {"completed": False}).json
    assert (reopened["completed"], reopened["completed_at"]) == (False, None)


def test_delete_is_for_good(alice: User) -> None:
    task = alice.task()
    answer = alice.delete(f"/tasks/{task['id']}")
    assert (answer.status, answer.body) == (204, b"")
    assert_error(alice.get(f"/tasks/{task['id']}"), 404)
    assert_error(alice.delete(f"/tasks/{task['id']}"), 404)
    assert alice.get("/tasks").json["count"] == 0


OPERATIONS = [
    ("GET", None),
    ("PUT", {"text": "b", "completed": True}),
    ("PATCH", {"text": "b"}),
    ("PATCH", {}),
    ("DELETE", None),
]


@pytest.mark.parametrize(("method", "document"), OPERATIONS)
def test_missing_task_is_not_found(alice: User, method: str, document: dict[str, object] | None) -> None:
    assert_error(alice.call(method, MISSING, document), 404)


@pytest.mark.parametrize(
    "task_id",
    [
        pytest.param("abc", id="word"),
        pytest.param("1", id="number"),
        pytest.param("01938f3a123470008000000000000001", id="no hyphens"),
        pytest.param("{01938f3a-1234-7000-8000-000000000001}", id="braces"),
        pytest.param("urn:uuid:01938f3a-1234-7000-8000-000000000001", id="urn"),
        pytest.param("01938f3a-1234-7000-8000-00000000000", id="too short"),
        pytest.param("01938f3a-1234-7000-8000-00000000000g", id="no hex"),
        pytest.param("01938f3a-1234-7000-8000-000000000001%0a", id="line feed"),
        pytest.param("%00", id="nul"),
        pytest.param("%f0%9f%90%98", id="emoji"),
        pytest.param("'%20OR%201=1--", id="sql"),
    ],
)
def test_id_that_is_no_uuid_is_refused(alice: User, task_id: str) -> None:
    answer = alice.get(f"/tasks/{task_id}")
    assert_error(answer, 422)
    assert answer.json["message"] == "Invalid task ID format"


@pytest.mark.parametrize(("method", "document"), OPERATIONS)
def test_every_operation_refuses_what_is_no_id(alice: User, method: str, document: dict[str, object] | None) -> None:
    assert_error(alice.call(method, "/tasks/1", document), 422)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a" * 500,
        "🐘" * 500,
        " padded ",
        "line\nbreak\ttab",
        "e\u0301 is not \u00e9",
        "\u202eright to left",
        "\u200b",
        '\\ " / %s {} $1',
    ],
)
def test_text_is_stored_exactly_as_sent(alice: User, text: str) -> None:
    task = alice.task(text)
    assert task["text"] == text
    assert alice.get(f"/tasks/{task['id']}").json["text"] == text
    assert alice.get("/tasks").json["tasks"][0]["text"] == text
