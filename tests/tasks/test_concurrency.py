"""Concurrent writers leave a task as one of them wrote it, whole, with times that fit."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.client import Live, User
from tests.shapes import assert_task

pytestmark = pytest.mark.django_db

WRITERS = 8
ROUNDS = 15


def test_concurrent_writers_leave_completed_and_completed_at_consistent(gunicorn: Live) -> None:
    alice = User(gunicorn, "alice-concurrent")
    path = f"/tasks/{alice.task()['id']}"

    def write(writer: int) -> list[str]:
        seen = []
        for turn in range(ROUNDS):
            answer = alice.patch(path, {"completed": (writer + turn) % 2 == 0, "text": f"writer {writer} turn {turn}"})
            assert_task(answer.json)
            seen.append(answer.json["updated_at"])
        return seen

    with ThreadPoolExecutor(WRITERS) as pool:
        times = [time for seen in pool.map(write, range(WRITERS)) for time in seen]
    assert len(set(times)) == WRITERS * ROUNDS, "each change moved updated_at on, so no two of them share a time"
    final = alice.get(path).json
    assert_task(final)
    assert final["updated_at"] == max(times)


def test_concurrent_creations_are_all_there(gunicorn: Live) -> None:
    alice = User(gunicorn, "alice-creates")
    with ThreadPoolExecutor(WRITERS) as pool:
        created = list(pool.map(lambda number: alice.task(f"task {number}"), range(WRITERS * ROUNDS)))
    listed = alice.get("/tasks").json
    assert listed["count"] == WRITERS * ROUNDS
    assert {task["id"] for task in listed["tasks"]} == {task["id"] for task in created}
    assert listed["tasks"] == sorted(listed["tasks"], key=lambda task: (task["created_at"], task["id"]), reverse=True)
