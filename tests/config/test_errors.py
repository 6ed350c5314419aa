"""What goes wrong on our side is a JSON error too, says nothing of the inside, and is logged."""

import gc
import io
import json

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError, connection, connections
from pytest_django import Settings

from config import middleware
from tests.client import User
from tests.shapes import assert_error


def _crash() -> None:
    """Put another table before it, inside the test's transaction: the next statement fails as no statement should."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE tasks_task (elsewhere integer)")


def test_crash_is_an_internal_error_without_details(alice: User) -> None:
    _crash()
    answer = alice.get("/tasks")
    assert_error(answer, 500)
    assert b"elsewhere" not in answer.body
    assert b"tasks_task" not in answer.body
    assert "details" not in answer.json


def test_crash_is_logged_once_with_the_request_id_and_without_values(alice: User, log: io.StringIO) -> None:
    _crash()
    answer = alice.post("/tasks", {"text": "nobody's business"}, headers={"X-Request-ID": "crash-1"})
    assert_error(answer, 500)
    logged = log.getvalue()
    assert logged.count('"level":"error"') == 1
    assert '"request_id":"crash-1"' in logged
    for secret in ("nobody's business", str(alice.sub), "eyJ"):
        assert secret not in logged


def test_crash_under_debug_shows_no_more(alice: User, log: io.StringIO, settings: Settings) -> None:
    settings.DEBUG = True
    _crash()
    answer = alice.post("/tasks", {"text": "nobody's business"})
    assert_error(answer, 500)
    assert b"elsewhere" not in answer.body
    assert log.getvalue().count('"level":"error"') == 1
    assert "nobody's business" not in log.getvalue()


def test_crash_of_the_admin_is_json_too(alice: User) -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute("ALTER TABLE django_session RENAME TO elsewhere")
    assert_error(alice.get("/admin/", headers={"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}), 500)


def test_database_that_fails_the_admin_is_no_crash(
    alice: User, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(SessionStore, "load", fail)
    assert_error(alice.get("/admin/", headers={"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}), 503)
    assert "unhandled_exception" not in log.getvalue()


def test_host_is_allowed_when_many_others_have_been(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "HOSTS", 0)
    assert alice.get("/tasks", headers={"Host": "localhost:1234"}).status == 200


def test_request_is_one_log_line_of_the_pattern_not_the_path(alice: User, log: io.StringIO) -> None:
    task = alice.task()
    log.truncate(0)
    log.seek(0)
    alice.get(f"/tasks/{task['id']}", headers={"X-Request-ID": "line-1"})
    (line,) = log.getvalue().splitlines()
    logged = json.loads(line)
    assert (logged["method"], logged["route"], logged["status"], logged["request_id"]) == (
        "GET",
        "/tasks/<task_id>",
        200,
        "line-1",
    )
    assert logged["ms"] > 0
    assert logged["user"]
    assert task["id"] not in line
    assert str(alice.sub) not in line


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Host": "evil.example"}, "DisallowedHost"),
        ({"Content-Length": "99999999"}, "RequestDataTooBig"),
        ({}, None),
    ],
    ids=["unknown host", "too large", "none"],
)
def test_request_that_is_refused_unread_says_why_in_its_line(
    alice: User, log: io.StringIO, headers: dict[str, str], reason: str | None
) -> None:
    alice.get("/tasks", headers=headers)
    (line,) = log.getvalue().splitlines()
    assert json.loads(line).get("reason") == reason
    assert "evil" not in line


@pytest.mark.parametrize("text", [" ", "\x00", "\ud800"], ids=["blank", "NUL", "surrogate"])
def test_refused_request_is_forgotten(alice: User, text: str) -> None:
    """Errors that keep their traceback, and with it the request, once held 30 KB of each refused one for ever."""

    def remembered() -> int:
        gc.collect()
        return sum(type(thing) is WSGIRequest for thing in gc.get_objects())  # isinstance would wake lazy objects

    before = remembered()
    for _ in range(5):
        assert_error(alice.post("/tasks", {"text": text}), 422)
    assert remembered() < before + 5


def test_range_outside_a_file_is_refused_with_its_length(alice: User) -> None:
    answer = alice.get("/static/ninja/favicon.png", headers={"Range": "bytes=99999999-"})
    assert_error(answer, 416)
    assert answer.headers["content-range"].startswith("bytes */")
