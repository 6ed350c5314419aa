"""POST /tasks/batch and /tasks/clear-completed: several tasks in one transaction."""

import uuid
from typing import Any

import pytest

from tests.client import Answer, User
from tests.shapes import assert_error, assert_task

Operation = dict[str, Any]


def _batch(user: User, *operations: Operation, **options: Any) -> Answer:
    return user.post("/tasks/batch", {"operations": operations}, **options)


def _create(text: str = "a", **fields: Any) -> Operation:
    return {"op": "create", "task": {"text": text, **fields}}


def _update(task_id: str, **changes: Any) -> Operation:
    return {"op": "update", "id": task_id, "task": changes}


def _delete(task_id: str) -> Operation:
    return {"op": "delete", "id": task_id}


def assert_failed(answer: Answer, index: int, cause: str) -> None:
    assert answer.status == 422
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["error"] == "BATCH_FAILED"
    (detail,) = answer.json["details"]
    assert detail.startswith(f"operations.{index}: {cause}")


def test_operations_are_answered_in_their_order(alice: User) -> None:
    changed, deleted = alice.task("changed"), alice.task("deleted")
    answer = _batch(
        alice, _create("new", order=3), _update(changed["id"], completed=True), _delete(deleted["id"]), _create("newer")
    )
    assert answer.status == 200
    created, updated, gone, second = answer.json["results"]
    assert (created["status"], updated["status"], gone, second["status"]) == (201, 200, {"status": 204}, 201)
    assert_task(created["task"])
    assert updated["task"] == {
        **changed,
        **{name: updated["task"][name] for name in ("updated_at", "completed_at")},
    } | {"completed": True}
    expected = [second["task"], created["task"], updated["task"]]
    assert alice.get("/tasks").json == {"tasks": expected, "count": 3, "next_cursor": None}


def test_operations_on_one_task_follow_one_another(alice: User) -> None:
    task = alice.task()
    texts = [_update(task["id"], text=f"{number}") for number in range(3)]
    results = _batch(alice, *texts, _update(task["id"]), _delete(task["id"])).json["results"]
    assert [result.get("task", {}).get("text") for result in results] == ["0", "1", "2", "2", None]
    times = [result["task"]["updated_at"] for result in results[:4]]
    assert times[0] < times[1] < times[2] == times[3]
    assert alice.get("/tasks").json["count"] == 0


def test_operation_on_a_task_that_an_earlier_one_deleted_fails(alice: User) -> None:
    task = alice.task()
    assert_failed(_batch(alice, _delete(task["id"]), _update(task["id"], text="b")), 1, "404 NOT_FOUND Task not found")
    assert alice.get(f"/tasks/{task['id']}").json == task


@pytest.mark.parametrize("operation", [_update, _delete])
def test_batch_that_fails_leaves_nothing_behind(operation: Any, alice: User, bob: User) -> None:
    task, his = alice.task(), bob.task()
    before = alice.get("/tasks/changes").json["next_since"]
    for unknown in (his["id"], str(uuid.uuid4())):
        doings = [_create("new"), _update(task["id"], text="b"), _delete(task["id"])]
        assert_failed(_batch(alice, *doings, operation(unknown), _create()), 3, "404 NOT_FOUND Task not found")
    assert alice.get("/tasks").json == {"tasks": [task], "count": 1, "next_cursor": None}
    assert alice.get(f"/tasks/changes?since={before}").json["changes"] == []
    assert bob.get(f"/tasks/{his['id']}").json == his


def test_first_failure_is_the_one_that_is_told(alice: User) -> None:
    missing = _delete(str(uuid.uuid4()))
    assert_failed(_batch(alice, _create(), missing, missing), 1, "404 ")


def test_conditions_are_judged_one_by_one(alice: User) -> None:
    created = alice.post("/tasks", {"text": "a"})
    task_id, tag = created.json["id"], created.headers["etag"]
    changed = _batch(alice, _update(task_id, text="b") | {"if_match": tag})
    assert changed.status == 200
    for operation in (_update(task_id, text="c"), _update(task_id), _delete(task_id)):
        assert_failed(_batch(alice, _create(), operation | {"if_match": tag}), 1, "412 PRECONDITION_FAILED ")
        missing = operation | {"if_match": tag, "id": str(uuid.uuid4())}
        assert_failed(_batch(alice, _create(), missing), 1, "404 NOT_FOUND ")
    tag = alice.get(f"/tasks/{task_id}").headers["etag"]
    assert_failed(
        _batch(alice, _update(task_id, text="c") | {"if_match": tag}, _delete(task_id) | {"if_match": tag}), 1, "412 "
    )
    assert alice.get("/tasks").json["tasks"] == [changed.json["results"][0]["task"]]
    assert _batch(alice, _delete(task_id) | {"if_match": f'"x", {tag}'}).json == {"results": [{"status": 204}]}


@pytest.mark.parametrize(
    ("operations", "detail"),
    [
        ([], "operations: "),
        ([_create()] * 101, "operations: "),
        ([_create(), _create(" ")], "operations.1.task.text: must not be only white space"),
        ([_create(done=True)], "operations.0.task.done: Extra inputs"),
        ([_create() | {"id": str(uuid.uuid4())}], "operations.0.id: Extra inputs"),
        ([_create(), _update("x", text="b")], "operations.1.id: must be a UUID"),
        ([_update(str(uuid.uuid4()), text=None)], "operations.0.task.text: "),
        ([_delete(str(uuid.uuid4())) | {"if_match": "x"}], "operations.0.if_match: must be * or a list"),
        ([_delete(str(uuid.uuid4())) | {"task": {}}], "operations.0.task: Extra inputs"),
        ([{"op": "update", "id": str(uuid.uuid4())}], "operations.0.task: Field required"),
        ([_create(), {"op": "move"}], "operations.1: "),
        ([{"op": "create", "task": [None]}], "operations.0.task: "),
        ([{"op": "create", "task": "a"}], "operations.0.task: "),
        ([{"op": ["create"]}], "operations.0: "),
        ([{"task": {"text": "a"}}], "operations.0: "),
        (["create"], "operations.0: "),
        ("create", "operations: "),
    ],
)
def test_batch_that_says_something_else_is_refused(operations: Any, detail: str, alice: User) -> None:
    assert_error(alice.post("/tasks/batch", {"operations": operations}), 422, detail)
    assert alice.get("/tasks").json["count"] == 0


def test_batch_of_a_hundred_is_done(alice: User) -> None:
    answer = _batch(alice, *(_create(f"{number}") for number in range(100)))
    texts = [result["task"]["text"] for result in answer.json["results"]]
    assert texts == [f"{number}" for number in range(100)]
    assert [task["text"] for task in alice.get("/tasks").json["tasks"]] == texts[::-1]


def test_feed_has_all_changes_of_a_batch_in_their_order(alice: User) -> None:
    changed, deleted = alice.task(), alice.task()
    since = alice.get("/tasks/changes").json["next_since"]
    results = _batch(alice, _delete(deleted["id"]), _create("new"), _update(changed["id"], text="b")).json["results"]
    gone, created, updated = alice.get(f"/tasks/changes?since={since}").json["changes"]
    assert (gone["type"], gone["id"]) == ("delete", deleted["id"])
    assert [created["task"], updated["task"]] == [results[1]["task"], results[2]["task"]]


def test_batch_with_a_key_is_done_once(alice: User) -> None:
    task, key = alice.task(), {"Idempotency-Key": str(uuid.uuid4())}
    operations = [_create("new"), _delete(task["id"])]
    first, again = (_batch(alice, *operations, headers=key) for _ in range(2))
    assert (first.status, first.json) == (again.status, again.json)
    assert again.headers["idempotency-replayed"] == "true"
    assert alice.get("/tasks").json["tasks"] == [first.json["results"][0]["task"]]
    assert _batch(alice, _create("other"), headers=key).json["error"] == "IDEMPOTENCY_KEY_REUSED"


def test_batch_that_failed_leaves_its_key_free(alice: User) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    assert_failed(_batch(alice, _create(), _delete(str(uuid.uuid4())), headers=key), 1, "404 ")
    assert alice.get("/tasks").json["count"] == 0
    assert _batch(alice, _create(), headers=key).status == 200


def test_cleared_are_the_callers_completed_tasks(alice: User, bob: User) -> None:
    kept, his = alice.task(), bob.task(completed=True)
    done = [alice.task(completed=True)["id"] for _ in range(3)]
    since = alice.get("/tasks/changes").json["next_since"]
    answer = alice.post("/tasks/clear-completed")
    assert (answer.status, answer.json) == (200, {"deleted": 3})
    assert alice.get("/tasks").json["tasks"] == [kept]
    changes = alice.get(f"/tasks/changes?since={since}").json["changes"]
    assert {(change["type"], change["id"]) for change in changes} == {("delete", task_id) for task_id in done}
    assert alice.post("/tasks/clear-completed").json == {"deleted": 0}
    assert bob.get("/tasks").json["tasks"] == [his]


def test_clearing_with_a_key_is_done_once(alice: User) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    alice.task(completed=True)
    assert alice.post("/tasks/clear-completed", headers=key).json == {"deleted": 1}
    later = alice.task(completed=True)
    assert alice.post("/tasks/clear-completed", headers=key).json == {"deleted": 1}
    assert alice.get("/tasks").json["tasks"] == [later]
