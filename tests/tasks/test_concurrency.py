"""Concurrent writers leave a task as one of them wrote it, whole, with times that fit."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from tests import live
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


@contextmanager
def _all_kept_waiting(user_id: str, number: int) -> Iterator[None]:
    """Let nobody write the user's tasks until so many wait to, whatever they have read before; not for ever, though."""
    with psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"]) as session:
        session.execute("SELECT set_config('app.user_id', %s, true), task_turn(%s)", [user_id, user_id])
        yield
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        deadline = time.monotonic() + 2
        while session.execute(waiting).fetchall() < [(number,)] and time.monotonic() < deadline:
            time.sleep(0.01)


def test_of_sixteen_writers_with_one_tag_one_wins(gunicorn: Live) -> None:
    alice = User(gunicorn, "alice-races")
    for _ in range(5):
        created = alice.post("/tasks", {"text": "a"})
        path, headers = created.headers["location"], {"If-Match": created.headers["etag"]}
        writes = [
            lambda: alice.put(path, {"text": "put", "completed": True}, headers=headers),  # noqa: B023 (run at once)
            lambda: alice.patch(path, {"text": "patched"}, headers=headers),  # noqa: B023 (run at once)
            lambda: alice.delete(path, headers=headers),  # noqa: B023 (run at once)
        ]
        with ThreadPoolExecutor(16) as pool:
            with _all_kept_waiting(str(alice.sub), 16):
                racing = [pool.submit(writes[number % 3]) for number in range(16)]
            answers = [future.result() for future in racing]
        (won,) = (answer for answer in answers if answer.status < 300)
        assert {answer.status for answer in answers if answer is not won} == {404 if won.status == 204 else 412}
        if won.status == 200:
            assert alice.get(path).headers["etag"] == won.headers["etag"]


def test_concurrent_creations_are_all_there(gunicorn: Live) -> None:
    alice = User(gunicorn, "alice-creates")
    with ThreadPoolExecutor(WRITERS) as pool:
        created = list(pool.map(lambda number: alice.task(f"task {number}"), range(WRITERS * ROUNDS)))
    listed = alice.get("/tasks").json
    assert listed["count"] == WRITERS * ROUNDS
    assert {task["id"] for task in listed["tasks"]} == {task["id"] for task in created}
    assert listed["tasks"] == sorted(listed["tasks"], key=lambda task: (task["created_at"], task["id"]), reverse=True)
