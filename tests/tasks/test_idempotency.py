"""Keys under concurrency and in time: what one client sends several times at once, late, or too late."""

import io
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection

from config.postgresql.row_security import acting_as
from tasks import idempotency, models, queries
from tasks.idempotency import Answer, Key
from tasks.models import IdempotencyKey, Task
from tests import live
from tests.client import Live, User

pytestmark = pytest.mark.django_db

TWINS = 8
ROUNDS = 25
WAITING_SECONDS = 2.0
KEYS = IdempotencyKey.objects.using("operator")


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> Live:
    server: Live = request.getfixturevalue(getattr(request, "param", "gunicorn"))
    return server


@pytest.fixture
def owner() -> Iterator[psycopg.Connection[Any]]:
    """The operators' role, past Django, whose tests commit nothing."""
    with psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"], autocommit=True) as connection:
        yield connection


def _create(user: User, key: str, text: str = "once") -> Any:
    return user.post("/tasks", {"text": text}, headers={"Idempotency-Key": key})


def _count(user: User) -> int:
    count: int = user.get("/tasks").json["count"]
    return count


@pytest.mark.parametrize("transport", ["gunicorn", "uvicorn"], indirect=True)
def test_twins_make_one_task(alice: User) -> None:
    with ThreadPoolExecutor(TWINS) as pool:
        for turn in range(ROUNDS):
            answers = list(pool.map(lambda _, turn=turn: _create(alice, f"turn-{turn}"), range(TWINS)))
            assert {answer.status for answer in answers} <= {201, 409}
            created = [answer for answer in answers if answer.status == 201]
            assert sum("idempotency-replayed" not in answer.headers for answer in created) == 1
            assert len({answer.body for answer in created}) == 1
    assert _count(alice) == ROUNDS


def test_of_twins_that_differ_one_is_done(alice: User) -> None:
    with ThreadPoolExecutor(TWINS) as pool:
        for turn in range(ROUNDS):
            answers = list(pool.map(lambda n, turn=turn: _create(alice, f"turn-{turn}", f"{n}"), range(TWINS)))
            assert sorted(answer.status for answer in answers) == [201, *[422] * (TWINS - 1)]
    assert _count(alice) == ROUNDS


@contextmanager
def _tasks_locked(owner: psycopg.Connection[Any]) -> Iterator[None]:
    with owner.transaction():
        owner.execute("LOCK TABLE tasks_task IN SHARE MODE")
        yield


def _wait_for_a_waiting_insert() -> None:
    """Until somebody who holds a key waits for the table."""
    deadline = time.monotonic() + WAITING_SECONDS
    waiting = (
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_locks AS mine USING (pid) WHERE NOT pg_locks.granted"
        " AND pg_locks.relation = 'tasks_task'::regclass AND mine.locktype = 'advisory' AND mine.granted)"
    )
    with psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"], autocommit=True) as onlooker:
        while onlooker.execute(waiting).fetchone() != (True,):
            assert time.monotonic() < deadline, "nobody came"


def test_while_the_first_runs_it_is_a_conflict(alice: User, owner: psycopg.Connection[Any]) -> None:
    with ThreadPoolExecutor(1) as pool:
        with _tasks_locked(owner):
            first = pool.submit(_create, alice, "slow")
            _wait_for_a_waiting_insert()
            meanwhile = _create(alice, "slow")
        assert first.result().status == 201
    assert (meanwhile.status, meanwhile.json["error"]) == (409, "CONFLICT")
    assert int(meanwhile.headers["retry-after"]) > 0
    assert meanwhile.headers["cache-control"] == "no-store"
    again = _create(alice, "slow")
    assert (again.body, again.headers["idempotency-replayed"]) == (first.result().body, "true")
    assert _count(alice) == 1


def test_first_that_cannot_be_done_is_unavailable_and_leaves_the_key(
    alice: User, owner: psycopg.Connection[Any]
) -> None:
    with _tasks_locked(owner):
        assert _create(alice, "locked-out").status == 503
    answer = _create(alice, "locked-out")
    assert answer.status == 201
    assert "idempotency-replayed" not in answer.headers


def _age(owner: psycopg.Connection[Any], user: User, interval: str) -> None:
    aged = "UPDATE tasks_idempotencykey SET created_at = created_at - %s::interval WHERE user_id = %s"
    assert owner.execute(aged, [interval, user.sub]).rowcount == 1


def test_key_is_kept_for_24_hours_and_then_free(alice: User, owner: psycopg.Connection[Any]) -> None:
    first = _create(alice, "old")
    _age(owner, alice, "23 hours 59 minutes")
    assert _create(alice, "old").body == first.body
    _age(owner, alice, "1 minute")
    second = _create(alice, "old", "another text")
    assert second.status == 201
    assert "idempotency-replayed" not in second.headers
    assert _create(alice, "old", "another text").body == second.body
    assert _count(alice) == 2


def test_purge_deletes_the_expired_only(gunicorn: Live, owner: psycopg.Connection[Any]) -> None:
    old, young = (User(gunicorn, f"{name}-{uuid.uuid4()}") for name in ("old", "young"))
    _create(old, "key")
    kept = _create(young, "key")
    _age(owner, old, "24 hours")
    out = io.StringIO()
    call_command("purge", "--json", stdout=out)
    assert json.loads(out.getvalue())["idempotency_keys"] >= 1
    assert {row.user_id for row in KEYS.filter(user_id__in=[old.sub, young.sub])} == {young.sub}
    assert _create(young, "key").body == kept.body


def test_purge_goes_on_until_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "REMOVED_AT_ONCE", 2)
    KEYS.bulk_create(_row(f"{number}") for number in range(7))
    for number in range(7):
        KEYS.filter(user_id="purged", key=f"{number}").update(created_at=f"2020-01-0{number + 1}T00:00:00Z")
    expired = KEYS.expired().count()
    out = io.StringIO()
    call_command("purge", stdout=out)
    assert not KEYS.filter(user_id="purged").exists()
    assert out.getvalue() == f"Deleted {expired} expired idempotency keys and 0 tombstones.\n"


def _row(key: str, user_id: str = "purged") -> IdempotencyKey:
    return IdempotencyKey(user_id=user_id, key=key, digest=b"", status=201, headers={}, body="")


def test_erased_user_leaves_no_answers_behind() -> None:
    KEYS.bulk_create(_row("key", name) for name in ("carol", "dave"))
    queries.erase_user("carol", "operator")
    assert [row.user_id for row in KEYS.filter(user_id__in=["carol", "dave"])] == ["dave"]


# once(), for what takes several statements

KEY = Key("erin", "several", b"digest")


@pytest.fixture
def erin() -> Iterator[None]:
    with acting_as("erin"):
        yield


def _two_tasks() -> Answer:
    made = [Task.objects.add(user_id="erin", text=text)["text"] for text in ("one", "two")]
    return Answer(200, {"ETag": '"x"'}, json.dumps(made))


@pytest.mark.usefixtures("erin")
def test_several_statements_are_done_once() -> None:
    first = idempotency.once(KEY, _two_tasks)
    again = idempotency.once(KEY, _two_tasks)
    assert first == Answer(200, {"ETag": '"x"'}, '["one", "two"]')
    assert again == Answer(200, {"ETag": '"x"'}, '["one", "two"]', replayed=True)
    assert Task.objects.owned_by("erin").count() == 2


@pytest.mark.usefixtures("erin")
def test_several_statements_with_another_input_are_refused() -> None:
    idempotency.once(KEY, _two_tasks)
    with pytest.raises(idempotency.KeyReused):
        idempotency.once(Key("erin", "several", b"other"), _two_tasks)


@pytest.mark.usefixtures("erin")
def test_several_statements_that_fail_leave_nothing_behind() -> None:
    def fail() -> Answer:
        _two_tasks()
        raise Task.DoesNotExist

    with pytest.raises(Task.DoesNotExist):
        idempotency.once(KEY, fail)
    assert not Task.objects.owned_by("erin").exists()
    assert not idempotency.once(KEY, _two_tasks).replayed


@pytest.mark.usefixtures("erin")
def test_key_that_somebody_holds_is_still_running(owner: psycopg.Connection[Any]) -> None:
    held = "SELECT pg_advisory_xact_lock(hashtextextended(%s, hashtextextended(%s, 0)))"
    with owner.transaction():
        owner.execute(held, [KEY.key, KEY.user_id])
        with pytest.raises(idempotency.StillRunning):
            idempotency.once(KEY, _two_tasks)
    assert not Task.objects.owned_by("erin").exists()


@pytest.mark.usefixtures("erin")
def test_another_lock_that_was_waited_for_in_vain_is_what_it_is(owner: psycopg.Connection[Any]) -> None:
    def wait() -> Answer:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1ms'")
        return _two_tasks()

    with _tasks_locked(owner), pytest.raises(OperationalError, match="lock timeout"):
        idempotency.once(KEY, wait)


@pytest.mark.usefixtures("erin")
def test_database_that_is_away_is_not_said_to_be_running() -> None:
    def fail() -> Answer:
        raise OperationalError("away")

    with pytest.raises(OperationalError, match="away"):
        idempotency.once(KEY, fail)


@pytest.mark.usefixtures("erin")
def test_answers_of_another_user_are_not_there() -> None:
    idempotency.once(KEY, _two_tasks)
    with acting_as("mallory"):
        assert not IdempotencyKey.objects.exists()
        with pytest.raises(DatabaseError, match="row-level security"):
            idempotency.once(KEY, lambda: Answer(200, {}, "{}"))
