"""What live servers write while they are used, abused and broken: all of it in one form, and nothing of anybody's."""

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import live
from tests.logs.use import PARENT, TRACE, Use, traps_and_an_operator, use_and_break

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Log:
    """What was written, and what was done to have it written."""

    text: str
    use: Use

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, request_id: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("request_id") == request_id]


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def log(request: pytest.FixtureRequest, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Log:  # noqa: ARG001 (the live server needs the test database)
    """The whole output of a server at LOG_LEVEL=DEBUG, from its start to its end."""
    path: Path = tmp_path_factory.mktemp("log") / request.param
    env = {
        "LOG_LEVEL": "DEBUG",
        "WEB_CONCURRENCY": "1",
        "DJANGO_SETTINGS_MODULE": "tests.logs.broken_settings",
        "PYTHONWARNINGS": "default",
    }
    with (
        path.open("wb") as file,
        traps_and_an_operator() as operator,
        live.start(request.param, env, log=file) as server,
    ):
        use = Use(server.base_url)
        use_and_break(use, *operator)
    return Log(path.read_text(), use)


CRASHES = [
    f"crash-{name}" for name in ("integrity", "view", "post", "group", "middleware", "admin", "stream", "unstarted")
]


def test_nothing_of_anybody_is_in_it(log: Log) -> None:
    found = [word for word in log.use.words if word.lower() in log.text.lower()]
    assert found == []
    assert "eyJ" not in log.text
    for url in live.database_urls().values():
        assert f"{urlsplit(url).password}" not in log.text


def test_every_line_is_one_record(log: Log) -> None:
    for line in log.lines:
        assert {"timestamp", "level", "event"} <= set(line), line
        assert line["level"] in {"info", "warning", "error", "critical"}, (
            "DEBUG is for our own, which say nothing there"
        )


def test_every_request_has_one_line(log: Log) -> None:
    for name, status in log.use.statuses.items():
        if name != "anything":
            (line,) = (line for line in log.of(name) if line["event"] == "request")
            assert status in {line["status"], None} or name == "crash-unstarted", line
            assert line["ms"] > 0


def test_no_server_has_an_access_log(log: Log) -> None:
    """Every line that knows of a request is ours, or tells of an exception."""
    for line in log.lines:
        assert "HTTP/1.1" not in json.dumps(line), line


@pytest.mark.parametrize("name", CRASHES)
def test_crash_has_one_line_with_the_way_it_took(log: Log, name: str) -> None:
    (line,) = (line for line in log.of(name) if "exception" in line)
    assert line["level"] == "error"
    assert all(exception["type"] and exception["frames"] for exception in line["exception"][:1])
    assert log.use.statuses[name] in {500, None}


def test_crash_names_what_the_database_refused(log: Log) -> None:
    (line,) = (line for line in log.of("crash-integrity") if "exception" in line)
    django, driver = line["exception"]
    assert (django["type"], driver["relation"]) == ("django.db.utils.IntegrityError", "cause")
    assert (driver["sqlstate"], driver["constraint"], driver["table"]) == ("23514", "no_integrity", "tasks_task")
    assert any(re.fullmatch(r"tasks/queries\.py:\d+ create_task", frame) for frame in django["frames"])


def test_crash_tells_the_whole_chain(log: Log) -> None:
    (line,) = (line for line in log.of("crash-view") if "exception" in line)
    assert [(e["type"], e.get("relation")) for e in line["exception"]] == [
        ("RuntimeError", None),
        ("ValueError", "cause"),
        ("KeyError", "context"),
    ]


def test_group_tells_its_members(log: Log) -> None:
    (line,) = (line for line in log.of("crash-group") if "exception" in line)
    assert [(e["type"], e.get("message")) for e in line["exception"]] == [
        ("ExceptionGroup", None),
        ("ValueError", None),
        ("OSError", "Input/output error"),
    ]


def test_database_that_fails_is_a_warning_with_its_code(log: Log) -> None:
    assert log.use.statuses["crash-operational"] == 503
    (line,) = (line for line in log.of("crash-operational") if line["event"] == "database_unavailable")
    assert (line["level"], line["sqlstate"]) == ("warning", "57000")


def test_every_line_of_a_request_knows_its_trace(log: Log) -> None:
    for name in log.use.statuses:
        if name != "anything":
            for line in log.of(name):
                assert (line["trace_id"], line["parent_id"]) == (TRACE, PARENT), line


def test_users_are_told_apart_by_digest(log: Log) -> None:
    users = {name: log.of(name)[-1]["user"] for name in ("created", "listed", "crash-integrity", "path")}
    assert users["created"] == users["listed"] != users["crash-integrity"]
    assert re.fullmatch(r"[0-9a-f]{16}", users["created"])
    assert users["path"] is None


def test_routes_are_patterns(log: Log) -> None:
    names = ("listed", "id", "path", "crash-admin", "method")
    assert [(log.of(name)[-1]["method"], log.of(name)[-1]["route"]) for name in names] == [
        ("GET", "/tasks"),
        ("GET", "/tasks/<task_id>"),
        ("GET", None),
        ("POST", "/admin/tasks/task/add/"),
        ("_OTHER", "/tasks"),
    ]


def test_servers_tell_of_their_start_and_end_in_the_same_form(log: Log) -> None:
    events = " ".join(line["event"] for line in log.lines if line["logger"] in {"gunicorn.error", "uvicorn.error"})
    assert re.search(r"(Booting worker with pid: \d+|Started server process \[\d+\])", events)
    assert re.search(r"(Handling signal: term|Finished server process)", events)


def test_what_is_no_request_has_a_line_with_the_id_it_was_given(log: Log) -> None:
    lines = [line for line in log.lines if line["event"] == "refused_by_server"]
    assert [line["status"] for line in lines].count(400) >= 3
    assert all(uuid.UUID(line["request_id"]) and "trace_id" not in line for line in lines)


def test_libraries_keep_their_templates_and_numbers(log: Log) -> None:
    events = [line["event"] for line in log.of("libraries") if line["logger"] == "some.library"]
    assert events == ["…", "put in: …, 42", "…", "…", "…", "with all: …"]


def test_threads_and_warnings_are_lines_too(log: Log) -> None:
    (thread,) = (line for line in log.lines if line["event"] == "uncaught_exception_in_thread")
    assert thread["exception"][0]["type"] == "ValueError"
    (warning,) = (line for line in log.lines if line.get("category") == "RuntimeWarning")
    assert re.search(r"tests/logs/broken\.py:\d+$", warning["where"])
