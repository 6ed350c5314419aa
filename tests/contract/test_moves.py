"""POST /tasks/{id}/move: places, what they may be, and what is refused."""

import uuid
from typing import Any

import pytest

from tests.client import User
from tests.shapes import assert_error, assert_task


def _three(user: User) -> list[str]:
    """Ids of three tasks, in order: newest first."""
    return [user.task(text)["id"] for text in ("c", "b", "a")][::-1]


def _texts(user: User) -> str:
    tasks = user.get("/tasks").json["tasks"]
    return "".join(task["text"] for task in sorted(tasks, key=lambda task: task["order"]))


@pytest.mark.parametrize(
    ("moved", "place", "expected"),
    [
        (0, {"after": 1}, "bac"),
        (0, {"after": 2}, "bca"),
        (2, {"before": 0}, "cab"),
        (2, {"before": 1}, "acb"),
        (2, {"to": "first"}, "cab"),
        (0, {"to": "last"}, "bca"),
    ],
)
def test_move_puts_the_task_there(moved: int, place: dict[str, Any], expected: str, alice: User) -> None:
    ids = _three(alice)
    place = {side: ids[other] if isinstance(other, int) else other for side, other in place.items()}
    answer = alice.post(f"/tasks/{ids[moved]}/move", place)
    assert answer.status == 200
    assert_task(answer.json)
    assert _texts(alice) == expected
    current = alice.get(f"/tasks/{ids[moved]}")
    assert (current.json, current.headers["etag"]) == (answer.json, answer.headers["etag"])


@pytest.mark.parametrize(("moved", "place"), [(0, {"to": "first"}), (2, {"to": "last"}), (1, {"after": 0})])
def test_move_to_where_it_is_changes_nothing(moved: int, place: dict[str, Any], alice: User) -> None:
    ids = _three(alice)
    place = {side: ids[other] if isinstance(other, int) else other for side, other in place.items()}
    before = alice.get(f"/tasks/{ids[moved]}")
    answer = alice.post(f"/tasks/{ids[moved]}/move", place)
    assert (answer.status, answer.json, answer.headers["etag"]) == (200, before.json, before.headers["etag"])


def test_only_task_is_first_and_last(alice: User) -> None:
    task = alice.task()
    for end in ("first", "last"):
        assert alice.post(f"/tasks/{task['id']}/move", {"to": end}).json == task


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "body: must have exactly one"),
        ({"to": "first", "after": str(uuid.uuid4())}, "body: must have exactly one"),
        ({"to": "middle"}, "to: "),
        ({"to": None}, "to: "),
        ({"after": None}, "after: "),
        ({"after": 7}, "after: "),
        ({"before": "urn:uuid:01938f3a-1234-7000-8000-000000000001"}, "before: must be a UUID"),
        ({"to": "first", "id": str(uuid.uuid4())}, "id: Extra inputs"),
    ],
)
def test_move_to_no_place_is_refused(body: dict[str, Any], detail: str, alice: User) -> None:
    assert_error(alice.post(f"/tasks/{alice.task()['id']}/move", body), 422, detail)


@pytest.mark.parametrize("side", ["after", "before"])
def test_neighbour_must_be_another_task_of_the_callers(side: str, alice: User, bob: User) -> None:
    task, foreign = alice.task(), bob.task()
    for neighbour in (task["id"], foreign["id"], str(uuid.uuid4())):
        answer = alice.post(f"/tasks/{task['id']}/move", {side: neighbour})
        assert_error(answer, 422, f"{side}: must be another task of yours")
    assert alice.get(f"/tasks/{task['id']}").json == task


def test_foreign_task_is_not_moved(alice: User, bob: User) -> None:
    hers, his = alice.task(), bob.task()
    bob.task()
    for place in ({"to": "first"}, {"after": hers["id"]}, {"after": his["id"]}):
        foreign = bob.post(f"/tasks/{hers['id']}/move", place)
        missing = bob.post(f"/tasks/{uuid.uuid4()}/move", place)
        assert_error(foreign, 404)
        assert foreign.body == missing.body
    assert alice.get(f"/tasks/{hers['id']}").json == hers


def test_others_tasks_do_not_take_part(alice: User, bob: User) -> None:
    his = [bob.task(order=order) for order in (-5, 5)]
    ids = _three(alice)
    alice.post(f"/tasks/{ids[0]}/move", {"after": ids[1]})
    assert [bob.get(f"/tasks/{task['id']}").json for task in his] == his


def test_move_of_a_changed_task_is_refused(alice: User) -> None:
    ids = _three(alice)
    path = f"/tasks/{ids[2]}"
    tag = alice.get(path).headers["etag"]
    changed = alice.patch(path, {"text": "C"}).json
    for header in ({"If-Match": tag}, {"If-None-Match": "*"}):
        assert_error(alice.post(f"{path}/move", {"to": "first"}, headers=header), 412)
        assert_error(alice.post(f"/tasks/{uuid.uuid4()}/move", {"to": "first"}, headers=header), 404)
    assert alice.get(path).json == changed
    tag = alice.get(path).headers["etag"]
    moved = alice.post(f"{path}/move", {"to": "first"}, headers={"If-Match": tag})
    assert (moved.status, _texts(alice)) == (200, "Cab")


def test_move_with_a_key_is_done_once(alice: User) -> None:
    ids = _three(alice)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = alice.post(f"/tasks/{ids[2]}/move", {"to": "first"}, headers=key)
    alice.post(f"/tasks/{ids[2]}/move", {"to": "last"})
    again = alice.post(f"/tasks/{ids[2]}/move", {"to": "first"}, headers=key)
    assert (again.status, again.json, again.headers["etag"]) == (200, first.json, first.headers["etag"])
    assert again.headers["idempotency-replayed"] == "true"
    assert _texts(alice) == "abc"
