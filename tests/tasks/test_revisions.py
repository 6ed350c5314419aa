"""Every change counts, whoever writes, and nothing else does: proved by attempting it."""

import importlib
import io
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, connections

from config.postgresql.row_security import acting_as
from tasks.models import Task, Tombstone
from tasks.queries import erase_user

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

OWNERS = Task.objects.using("operator")
TOMBSTONES = Tombstone.objects.using("operator")
ALICE = OWNERS.owned_by("alice")


@pytest.fixture(autouse=True)
def _no_tasks() -> None:
    """Forget, within the test's transaction, what live servers have written."""
    OWNERS.remove()
    TOMBSTONES.remove()


def _sql(statement: str, *values: Any) -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute(statement, values)


def _revision() -> int:
    """Draw one: all that come after are greater."""
    with connections["operator"].cursor() as cursor:
        cursor.execute("SELECT nextval('task_revision')")
        (drawn,) = cursor.fetchone()
        return int(drawn)


def _buried() -> list[tuple[str, uuid.UUID]]:
    return list(TOMBSTONES.order_by("revision").values_list("user_id", "task_id"))


def _import(tmp_path: Path, *tasks: dict[str, Any]) -> None:
    file = tmp_path / "tasks.json"
    file.write_text('{"tasks": [\n' + ",\n".join(map(json.dumps, tasks)) + "\n]}")
    call_command("import_user", "alice", str(file), stdout=io.StringIO())


def _save(text: str) -> None:
    task = ALICE.get()
    task.text = text
    task.save(using="operator")


INSERT = "INSERT INTO tasks_task (id, user_id, text, revision) VALUES (gen_random_uuid(), 'alice', 'a', 1)"
ADDITIONS: dict[str, Callable[[], object]] = {
    "gate": lambda: OWNERS.add(user_id="alice", text="a"),
    "create": lambda: OWNERS.create(user_id="alice", text="a", revision=1),
    "bulk_create": lambda: OWNERS.bulk_create(Task(user_id="alice", text="a") for _ in range(5)),
    "SQL": lambda: _sql(INSERT),
    "seed": lambda: call_command("seed", users=1, tasks=5, stdout=io.StringIO()),
}


@pytest.mark.parametrize("add", ADDITIONS.values(), ids=ADDITIONS)
def test_addition_gets_a_new_revision_for_each_task(add: Callable[[], object]) -> None:
    before = _revision()
    add()
    revisions = OWNERS.values_list("revision", flat=True)
    assert len(set(revisions)) == len(revisions) > 0
    assert min(revisions) > before


CHANGES: dict[str, Callable[[], object]] = {
    "gate": lambda: ALICE.change(text="b"),
    "update": lambda: ALICE.update(order=3),
    "SQL": lambda: _sql("UPDATE tasks_task SET text = 'b'"),
    "SQL that decides the revision": lambda: _sql("UPDATE tasks_task SET revision = 1"),
    "save": lambda: _save("b"),
    "upsert": lambda: OWNERS.bulk_create(
        [Task(id=task.id, user_id="alice", text="b") for task in ALICE],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["text"],
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_gets_a_new_revision(change: Callable[[], object]) -> None:
    OWNERS.add(user_id="alice", text="a")
    before = _revision()
    change()
    assert ALICE.get().revision > before
    assert _buried() == []


NO_CHANGES: dict[str, Callable[[], object]] = {
    "gate": lambda: ALICE.change(text="a", completed=False, order=0),
    "SQL": lambda: _sql("UPDATE tasks_task SET id = id"),
    "save": lambda: _save("a"),
}


@pytest.mark.parametrize("write", NO_CHANGES.values(), ids=NO_CHANGES)
def test_no_change_keeps_the_revision(write: Callable[[], object]) -> None:
    before = OWNERS.create(user_id="alice", text="a")
    before.refresh_from_db(using="operator")
    write()
    assert ALICE.get().revision == before.revision
    assert _buried() == []


def test_import_gets_new_revisions_and_keeps_its_times(tmp_path: Path) -> None:
    task = {
        "id": str(uuid.uuid4()),
        "text": "a",
        "completed": False,
        "order": 0,
        "created_at": "2020-01-01T00:00:00.000000Z",
        "updated_at": "2020-01-02T00:00:00.000000Z",
        "completed_at": None,
    }
    revisions = []
    for version in (task, task | {"text": "b"}, task | {"text": "b"}):
        _import(tmp_path, version)
        revisions.append(ALICE.get().revision)
    assert revisions[0] < revisions[1] == revisions[2]
    assert ALICE.get().updated_at.year == 2020


REMOVALS: dict[str, Callable[[], object]] = {
    "gate": ALICE.remove,
    "instance": lambda: ALICE.get().delete(using="operator"),
    "SQL": lambda: _sql("DELETE FROM tasks_task"),
    "TRUNCATE": lambda: _sql("TRUNCATE tasks_task"),
    "another id": lambda: _sql("UPDATE tasks_task SET id = gen_random_uuid()"),
    "another user": lambda: _sql("UPDATE tasks_task SET user_id = 'bob'"),
}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
def test_removal_leaves_a_tombstone(remove: Callable[[], object]) -> None:
    task = OWNERS.add(user_id="alice", text="a")
    before = _revision()
    remove()
    assert _buried() == [("alice", task["id"])]
    assert TOMBSTONES.get().revision > before


def test_task_that_changes_hands_is_new_to_the_other_user() -> None:
    OWNERS.add(user_id="alice", text="a")
    before = _revision()
    _sql("UPDATE tasks_task SET user_id = 'bob'")
    assert OWNERS.get(user_id="bob").revision > before


def test_same_id_deleted_twice_has_one_tombstone() -> None:
    task = OWNERS.add(user_id="alice", text="a")
    ALICE.remove()
    first = TOMBSTONES.get()
    OWNERS.add(id=task["id"], user_id="alice", text="again")
    ALICE.remove()
    second = TOMBSTONES.get()
    assert (first.revision, first.deleted_at) < (second.revision, second.deleted_at)


def test_erasure_leaves_no_tombstone() -> None:
    for _ in range(2):
        OWNERS.add(user_id="alice", text="a")
    OWNERS.add(user_id="bob", text="his")
    ALICE.filter(pk=ALICE.first().pk).remove()  # type: ignore[union-attr]  # there are two
    OWNERS.owned_by("bob").remove()
    assert erase_user("alice", "operator") == 1
    assert [user for user, _ in _buried()] == ["bob"]


def test_tasks_from_before_there_were_revisions_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    migration: Any = importlib.import_module("tasks.migrations.0005_number_tasks")
    monkeypatch.setattr(migration, "BATCH", 2)
    _sql("ALTER TABLE tasks_task DISABLE TRIGGER USER")
    OWNERS.bulk_create(Task(user_id=f"user-{number}", text="a") for number in range(5))
    _sql("ALTER TABLE tasks_task ENABLE TRIGGER USER")
    assert set(OWNERS.values_list("revision", flat=True)) == {0}
    before = _revision()
    migration.number(apps, SimpleNamespace(connection=connections["operator"]))
    revisions = OWNERS.values_list("revision", flat=True)
    assert len(set(revisions)) == 5
    assert min(revisions) > before


def test_one_statement_may_concern_any_number_of_users() -> None:
    """More than PostgreSQL has room for locks."""
    many = "SELECT gen_random_uuid(), 'user-' || n, 'a' FROM generate_series(1, 20000) AS n"
    _sql(f"INSERT INTO tasks_task (id, user_id, text) {many}")
    _sql("UPDATE tasks_task SET text = 'b'")
    _sql("DELETE FROM tasks_task")
    assert TOMBSTONES.count() == 20_000


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tasks_tombstone VALUES ('alice', gen_random_uuid(), 1, now())",
        "SELECT nextval('task_revision')",
        "SELECT setval('task_revision', 1)",
        "ALTER TABLE tasks_task DISABLE TRIGGER USER",
        "SET session_replication_role = replica",
        "TRUNCATE tasks_task",
    ],
)
def test_api_cannot_write_the_books(statement: str) -> None:
    refused = "row-level security|permission denied|must be owner"
    with acting_as("alice"), pytest.raises(DatabaseError, match=refused), connection.cursor() as cursor:
        cursor.execute(statement)
