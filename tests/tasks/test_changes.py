"""The feed over time: tokens grow old, what was deleted is forgotten, and nothing is lost by that."""

import datetime as dt
import io
import json
import time
import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models import F, Value

from config.postgresql.row_security import acting_as
from tasks import changes
from tasks.models import Task, Tombstone
from tests.client import User
from tests.shapes import assert_error

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

DAY = 24 * 3600
TASKS, TOMBSTONES = Task.objects.using("operator"), Tombstone.objects.using("operator")


@pytest.fixture
def sub() -> str:
    """A user whose tasks are written as operators do, in the test's transaction."""
    return f"user-{uuid.uuid4()}"


def _days_later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    monkeypatch.setattr(changes, "time", lambda: time.time() + days * DAY)


def _feed(user: User, since: str = "", limit: int = 500) -> Any:
    return user.get(f"/tasks/changes?limit={limit}{since and f'&since={since}'}").json


def _purge(*options: str) -> Any:
    out = io.StringIO()
    call_command("purge", "--json", *options, stdout=out)
    return json.loads(out.getvalue())


def _age(days: float) -> None:
    TOMBSTONES.update(deleted_at=F("deleted_at") - Value(dt.timedelta(days=days)))


def test_token_is_good_for_thirty_days(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    since = _feed(alice)["next_since"]
    _days_later(monkeypatch, 29.999)
    assert alice.get(f"/tasks/changes?since={since}").status == 200
    _days_later(monkeypatch, 30.001)
    assert_error(alice.get(f"/tasks/changes?since={since}"), 410)


def test_token_of_an_answer_is_new(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    since = _feed(alice)["next_since"]
    for days in (20, 40, 60):
        _days_later(monkeypatch, days)
        since = _feed(alice, since)["next_since"]


def test_token_of_half_a_walk_is_as_old_as_the_walk(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deletions it has not come to yet are as old as that, and purged."""
    since = _feed(alice)["next_since"]
    for _ in range(3):
        alice.task()
    _days_later(monkeypatch, 20)
    halfway = _feed(alice, since, limit=1)["next_since"]
    _days_later(monkeypatch, 31)
    assert_error(alice.get(f"/tasks/changes?since={halfway}"), 410)


def test_start_is_never_too_old(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.task()
    _days_later(monkeypatch, 1000)
    assert len(_feed(alice)["changes"]) == 1


def test_purge_deletes_what_no_token_needs(sub: str) -> None:
    TOMBSTONES.remove()
    for age in (31, 29):
        TASKS.add(user_id=sub, text="a")
        TASKS.owned_by(sub).remove()
        _age(age)
    assert _purge()["tombstones"] == 1  # of 60 days; the other is of 29
    assert TOMBSTONES.count() == 1
    assert _purge("--days", "30")["tombstones"] == 0


def test_purge_leaves_time_for_deletions_that_commit_late(sub: str) -> None:
    TOMBSTONES.remove()
    TASKS.add(user_id=sub, text="a")
    TASKS.owned_by(sub).remove()
    hour = changes.LATEST / dt.timedelta(days=1)
    _age(changes.DAYS + 0.9 * hour)
    assert _purge()["tombstones"] == 0
    _age(0.2 * hour)
    assert _purge()["tombstones"] == 1


def test_purge_keeps_what_a_token_may_need() -> None:
    for days in ("29", "99999999999"):
        with pytest.raises(CommandError, match="from 30 to 36500: a sync token is good for 30 days") as refused:
            _purge("--days", days)
        assert refused.value.returncode == 2
    assert _purge("--days", "36500")["tombstones"] == 0


def _rows(sub: str, prefix: str = "") -> list[tuple[Any, ...]]:
    """Through the operators' connection, which sees what the test has written."""
    statement = changes._since(501)
    return replace(statement, sql=prefix + statement.sql, using="operator").rows(user_id=sub, revision=0)


def _read(sub: str) -> list[Any]:
    return [json.loads(change) for _, change in _rows(sub)]


def test_task_that_came_back_is_not_deleted(sub: str) -> None:
    task = TASKS.add(user_id=sub, text="a")
    TASKS.owned_by(sub).remove()
    TASKS.add(id=task["id"], user_id=sub, text="again")
    (change,) = _read(sub)
    assert (change["type"], change["task"]["text"]) == ("upsert", "again")


def test_task_that_changed_hands_is_deleted_for_one_and_new_for_the_other(sub: str) -> None:
    task = TASKS.add(user_id=sub, text="a")
    TASKS.owned_by(sub).update(user_id=f"{sub}-other")
    assert [(change["type"], change["id"]) for change in _read(sub)] == [("delete", str(task["id"]))]
    assert [change["type"] for change in _read(f"{sub}-other")] == ["upsert"]


def test_newest_revision_moves_with_every_change_and_with_nothing_else(alice: User, bob: User) -> None:
    user = str(alice.sub)

    def newest() -> int:
        with acting_as(user):
            return changes.newest_revision(user)

    seen = [newest()]
    task = alice.task()
    seen.append(newest())
    alice.patch(f"/tasks/{task['id']}", {"text": "b"})
    seen.append(newest())
    alice.delete(f"/tasks/{task['id']}")
    seen.append(newest())
    assert seen == sorted(set(seen))
    assert seen[0] == 0
    bob.task()
    assert newest() == seen[-1]


def test_feed_is_served_by_its_indexes(sub: str) -> None:
    """Also of a user with many tasks and tombstones, of which few are new."""
    TASKS.bulk_create(Task(user_id=sub, text="a") for _ in range(3000))
    TASKS.owned_by(sub).filter(pk__in=TASKS.owned_by(sub).values("pk")[:1500]).remove()
    with connections["operator"].cursor() as cursor:
        cursor.execute("ANALYZE tasks_task; ANALYZE tasks_tombstone; SET LOCAL enable_sort = off")
    plan = "\n".join(line for (line,) in _rows(sub, "EXPLAIN "))
    assert "task_user_revision" in plan
    assert "tombstone_user_revision" in plan
