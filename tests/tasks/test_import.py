"""`export_user` and `import_user`: what leaves comes back, whole, and nothing else does."""

import datetime as dt
import io
import json
import os
import re
import stat
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from tasks import importing
from tasks.export import Form, export, stream
from tasks.importing import Outcome, Problem, Refused, import_tasks
from tasks.management.commands import export_user
from tasks.models import WIRE_FIELDS, Row, Task
from tasks.parsing import Record
from tasks.queries import erase_user

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

OPERATOR = Task.objects.using("operator")
ALICE = OPERATOR.owned_by("alice-moves")
TEXTS = [
    "Buy groceries",
    "=1+1",
    "'=1",
    "two\r\nlines",
    "two\n\ufeffmarks",
    'a "quoted", one',
    "買う 🥛",
    " \\n; ",
    "\x1f\x7f\u2028",
    "-5",
]


@pytest.fixture
def tasks() -> list[Row]:
    for number, text in enumerate(TEXTS):
        OPERATOR.add(user_id="alice-moves", text=text, completed=number % 3 == 0, order=-number)
    return list(ALICE.newest_first().rows())


def _export(form: str = "json") -> bytes:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    call_command("export_user", "alice-moves", "--format", form, stdout=out)
    return out.buffer.getvalue()


def _import(path: Path, *options: str, sub: str = "alice-moves") -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_user", sub, str(path), "--json", *options, stdout=out)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def _problems(path: Path, sub: str = "alice-moves") -> str:
    """What an import that must fail says."""
    err, before = io.StringIO(), list(OPERATOR.rows().order_by("id"))
    with pytest.raises(CommandError, match="Nothing was imported") as caught:
        call_command("import_user", sub, str(path), stdout=io.StringIO(), stderr=err)
    assert caught.value.returncode == 1
    assert list(OPERATOR.rows().order_by("id")) == before
    return f"{err.getvalue()}{caught.value}"


def _line(**changes: Any) -> dict[str, Any]:
    usual = {"id": str(uuid.uuid4()), "text": "a", "completed": False, "order": 0}
    times = dict.fromkeys(["created_at", "updated_at"], "2026-11-20T11:31:30.537123Z")
    return usual | times | {"completed_at": None} | changes


def _json_file(folder: Path, *tasks: Any) -> Path:
    path = folder / "tasks.json"
    path.write_text('{"tasks": [\n' + ",\n".join(json.dumps(task) for task in tasks) + "\n]}")
    return path


@pytest.mark.parametrize("form", ["json", "csv"])
def test_export_comes_back_whole(tasks: list[Row], tmp_path: Path, form: str) -> None:
    path = tmp_path / f"tasks.{form}"
    path.write_bytes(_export(form))
    call_command("erase_user", "alice-moves", "--yes", stdout=io.StringIO())
    assert not ALICE.exists()
    assert _import(path) == {"created": len(TEXTS), "updated": 0, "unchanged": 0, "dry_run": False}
    assert list(ALICE.newest_first().rows()) == tasks


@pytest.mark.parametrize("form", ["json", "csv"])
def test_second_import_changes_nothing(tasks: list[Row], tmp_path: Path, form: str) -> None:
    path = tmp_path / f"tasks.{form}"
    path.write_bytes(_export(form))
    assert _import(path) == {"created": 0, "updated": 0, "unchanged": len(TEXTS), "dry_run": False}
    assert list(ALICE.newest_first().rows()) == tasks


def test_import_takes_changed_tasks_back_to_what_the_file_says(tasks: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_bytes(_export())
    ALICE.filter(id=tasks[0]["id"]).change(text="changed", completed=not tasks[0]["completed"])
    assert _import(path) == {"created": 0, "updated": 1, "unchanged": len(TEXTS) - 1, "dry_run": False}
    assert list(ALICE.newest_first().rows()) == tasks


def test_dry_run_tells_and_changes_nothing(tasks: list[Row], tmp_path: Path) -> None:
    path = _json_file(tmp_path, _line())
    assert _import(path, "--dry-run") == {"created": 1, "updated": 0, "unchanged": 0, "dry_run": True}
    assert list(ALICE.newest_first().rows()) == tasks


BAD_LINES: dict[str, tuple[dict[str, Any], str]] = {
    "text blank": ({"text": " \u2003"}, "text: must not be only white space"),
    "text long": ({"text": "a" * 501}, "text: "),
    "text NUL": ({"text": "a\0"}, "text: must not contain NUL"),
    "text surrogate": ({"text": "\ud800"}, "text: "),
    "text number": ({"text": 5}, "text: "),
    "id": ({"id": "5"}, "id: must be a UUID"),
    "order": ({"order": 2**31}, "order: "),
    "completed": ({"completed": "yes"}, "completed: "),
    "unknown field": ({"done": True}, "done: "),
    "unknown field of controls": ({"\x1b[31m": True}, r"\x1b[31m: "),
    "missing time": ({"created_at": None}, "created_at: must be a time"),
    "time without zone": ({"created_at": "2026-11-20T11:31:30"}, "created_at: must be a time"),
    "time as number": ({"created_at": 1763638290}, "created_at: must be a time"),
    "no such time": ({"created_at": "2026-02-30T11:31:30Z"}, "created_at: "),
    "first moment": ({"created_at": "0001-01-01T00:00:00+10:00"}, "created_at: is out of range"),
    "completed without its time": ({"completed": True}, "completed_at is there exactly when completed is true"),
    "updated before created": (
        {"created_at": "2026-11-20T11:31:31Z"},
        "created_at, completed_at, updated_at must be in this order",
    ),
    "completed before created": (
        {"completed": True, "completed_at": "2026-11-19T11:31:30Z"},
        "created_at, completed_at, updated_at must be in this order",
    ),
    "from the future": ({"updated_at": "2999-01-01T00:00:00Z"}, "updated_at is in the future"),
    "another user": ({"user_id": "bob"}, "is the task of another user"),
}


@pytest.mark.parametrize(("changes", "why"), BAD_LINES.values(), ids=BAD_LINES)
def test_bad_line_is_reported_with_its_number(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    said = _problems(_json_file(tmp_path, _line(), _line(**changes), _line()))
    assert f"line 3: {why}" in said
    assert "has 1 bad lines" in said


def test_line_of_a_csv_that_is_no_task_is_reported(tmp_path: Path) -> None:
    (tmp_path / "tasks.csv").write_text(f"{','.join(WIRE_FIELDS)}\na,b\n\na\n")
    said = _problems(tmp_path / "tasks.csv")
    assert "line 2: has 2 columns instead of 8" in said
    assert "line 4: has 1 columns instead of 8" in said


def test_all_bad_lines_are_counted_and_the_first_ones_shown(tmp_path: Path) -> None:
    said = _problems(_json_file(tmp_path, *[_line(text="")] * 150))
    assert "line 101: " in said
    assert "line 102: " not in said
    assert "and 50 more" in said


def test_same_id_twice_is_reported(tmp_path: Path) -> None:
    line = _line()
    assert "line 4: id: is the same as in line 2" in _problems(_json_file(tmp_path, line, _line(), line))


def test_same_id_twice_in_one_line_is_reported(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": [_line()] * 2}))
    assert "line 1: id: is the same as in line 1" in _problems(tmp_path / "tasks.json")


def test_id_of_another_users_task_is_taken_and_nothing_else_is_told(tmp_path: Path) -> None:
    his = OPERATOR.add(user_id="bob", text="his secret")
    said = _problems(_json_file(tmp_path, _line(), _line(id=str(his["id"]))))
    assert "line 3: id: is taken" in said
    assert "bob" not in said
    assert "secret" not in said


def test_unreadable_file_is_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text('{"tasks": [\n{},\n')
    assert "tasks.json, line 3: the file ends" in _problems(tmp_path / "tasks.json")


def test_import_reads_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_json_file(tmp_path, _line()).read_bytes())))
    assert _import(Path("-"), "--format", "json")["created"] == 1


@pytest.mark.parametrize("name", ["tasks.ics", "tasks.txt", "tasks"])
def test_import_of_another_form_is_misuse(name: str) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("import_user", "alice-moves", name)
    assert caught.value.returncode == 2


@pytest.mark.parametrize(
    ("command", "form", "forms"), [("export_user", "xml", "json|csv|ics"), ("import_user", "ics", "json|csv")]
)
def test_forms_are_named_plainly(command: str, form: str, forms: str) -> None:
    with pytest.raises(CommandError, match=f"invalid choice: '{form}'") as refused:
        call_command(command, "alice-moves", *(["tasks"] if command == "import_user" else []), "--format", form)
    assert re.findall("json|csv|ics", str(refused.value).partition("choose")[2]) == forms.split("|")
    assert "Form" not in str(refused.value)


def test_import_says_which_file_is_missing() -> None:
    with pytest.raises(CommandError, match=r"missing\.json cannot be read: No such file"):
        call_command("import_user", "alice-moves", "missing.json")


def test_problems_are_reported_as_json(tmp_path: Path) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("import_user", "alice", str(_json_file(tmp_path, _line(id="5"))), "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"count": 1, "problems": [{"line": 2, "why": "id: must be a UUID"}]}


def test_id_that_is_taken_while_the_file_is_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    his = OPERATOR.add(user_id="bob", text="his")
    monkeypatch.setattr(importing, "_conflicts", lambda *_: [])  # it was free when they were looked for
    with pytest.raises(Refused) as refused:
        import_tasks("alice-moves", [Record(1, _line()), Record(2, _line(id=str(his["id"])))])
    assert refused.value == Refused(1, [Problem(0, "an id was taken meanwhile")])
    assert not ALICE.exists()
    assert OPERATOR.get(id=his["id"]).text == "his"


# export_user


def test_export_without_tasks_is_empty_and_says_so() -> None:
    out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    call_command("export_user", "nobody-at-all", stdout=out, stderr=err)
    assert json.loads(out.buffer.getvalue()) == {"tasks": []}
    assert "no tasks of nobody-at-all" in err.getvalue()


@pytest.mark.parametrize("form", Form)
def test_export_writes_exactly_the_file(tasks: list[Row], tmp_path: Path, form: Form) -> None:
    call_command("export_user", "alice-moves", "--format", form, "--output", str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"".join(export(tasks, form)) == _export(form)


def test_export_is_for_the_eyes_of_its_owner(tasks: list[Row], tmp_path: Path) -> None:
    call_command("export_user", "alice-moves", "--output", str(tmp_path / "file"))
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert str(tasks[0]["id"]) in (tmp_path / "file").read_text()


def test_export_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CommandError, match="File exists"):
        call_command("export_user", "alice-moves", "--output", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


def test_export_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 (any)
        export_user._write_file(tmp_path / "file", chunks())
    assert not list(tmp_path.iterdir())


def test_export_to_a_reader_that_went_away_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe, (tmp_path / "stdout").open("w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(CommandError, match="went away"):
            call_command("export_user", "alice-moves", stdout=pipe)
        os.dup2(stdout.fileno(), writing)  # so that closing it flushes to somebody


def test_export_is_of_this_user_only(tasks: list[Row]) -> None:
    OPERATOR.add(user_id="bob", text="his")
    assert {task["user_id"] for task in json.loads(_export())["tasks"]} == {"alice-moves"}
    assert len(list(stream(ALICE))) == len(tasks)


@pytest.mark.parametrize("command", ["export_user", "erase_user", "import_user"])
@pytest.mark.parametrize("sub", ["", "a" * 256, "a\0b", "\udcff"])
def test_user_id_that_cannot_be_is_misuse(command: str, sub: str) -> None:
    with pytest.raises(CommandError, match="a user id has"):
        call_command(command, sub, *(["file.json"] if command == "import_user" else []))


def test_import_is_one_transaction() -> None:
    records = [Record(number, _line()) for number in range(1, 4)]
    with pytest.raises(Refused):
        import_tasks("alice-moves", [*records, records[0]])
    assert not ALICE.exists()
    assert import_tasks("alice-moves", records) == Outcome(3, 0, 0)
    assert ALICE.filter(created_at=dt.datetime(2026, 11, 20, 11, 31, 30, 537123, dt.UTC)).count() == 3


def test_imports_at_once_wait_for_each_other() -> None:
    user_id = f"alice-{uuid.uuid4()}"
    records = [Record(number, _line()) for number in range(1_000)]

    def run(records: list[Record]) -> Outcome:
        try:
            return import_tasks(user_id, records)
        finally:
            connections.close_all()  # this thread's

    def erase() -> int:
        try:
            return erase_user(user_id, "operator")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        try:
            outcomes = list(pool.map(run, [records, records[::-1]]))
        finally:
            erased = pool.submit(erase).result()
    assert sorted(outcomes, key=lambda outcome: outcome.created) == [Outcome(0, 0, 1_000), Outcome(1_000, 0, 0)]
    assert erased == len(records)
