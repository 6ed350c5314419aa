"""Tasks as files: what other programs read from them is what went in."""

import csv
import datetime as dt
import io
import json
import re
import uuid
from itertools import pairwise
from typing import Any

import icalendar
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from tasks import export as module
from tasks.export import Form, export, stream, unguarded
from tasks.models import ORDER_MAX, ORDER_MIN, WIRE_FIELDS, Row, Task
from tasks.schemas import task_json

TIMES = st.datetimes(min_value=dt.datetime(1970, 1, 2), max_value=dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC))  # noqa: DTZ001 (bounds are naive)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=500)
# What means something to one of the forms.
TRICKY = st.text(alphabet="\\n;,:\"'=+-@＝\t\r\n\v\x1f\x7f\x85\u2028 aü🐘\ufeff", min_size=1, max_size=200)  # noqa: RUF001
GIVEN_ROWS = st.builds(
    lambda completed_at, **row: row | {"completed_at": completed_at, "completed": completed_at is not None},
    id=st.uuids(),
    user_id=TEXTS.map(lambda text: text[:255]) | st.just("=alice"),
    text=TEXTS | TRICKY,
    order=st.integers(ORDER_MIN, ORDER_MAX),
    created_at=TIMES,
    updated_at=TIMES,
    completed_at=st.none() | TIMES,
)
ROWS = st.lists(
    GIVEN_ROWS.map(lambda row: {name: row[name] for name in WIRE_FIELDS}),
    max_size=4,
)
NOON = dt.datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=dt.UTC)


def _row(**values: Any) -> Row:
    usual = {"id": uuid.uuid4(), "user_id": "alice", "text": "a", "completed": False, "order": 0}
    return usual | {"created_at": NOON, "updated_at": NOON, "completed_at": None} | values


def _file(rows: list[Row], form: Form) -> bytes:
    return b"".join(export(rows, form))


def _todos(file: bytes) -> list[Any]:
    calendar: Any = icalendar.Calendar.from_ical(file)
    return [component for component in calendar.walk("VTODO") if not component.errors]


def _records(file: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.decode(), newline=""), strict=True))


@given(rows=ROWS)
def test_json_is_the_apis_shape(rows: list[Row]) -> None:
    assert json.loads(_file(rows, Form.JSON)) == {"tasks": [json.loads(task_json(row)) for row in rows]}


@given(rows=ROWS)
def test_json_has_one_task_a_line(rows: list[Row]) -> None:
    assert _file(rows, Form.JSON).count(b"\n") == (len(rows) + 2 if rows else 1)


@given(rows=ROWS)
def test_csv_gives_every_value_back(rows: list[Row]) -> None:
    for record, row in zip(_records(_file(rows, Form.CSV)), rows, strict=True):
        assert unguarded(record["text"]) == row["text"]
        assert unguarded(record["user_id"]) == row["user_id"]
        shown = json.loads(task_json(row))
        for name in ("id", "created_at", "updated_at"):
            assert record[name] == shown[name]
        assert record["completed_at"] == (shown["completed_at"] or "")
        assert (record["completed"], record["order"]) == (json.dumps(row["completed"]), str(row["order"]))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "'=1", "''=1"])  # noqa: RUF001
def test_csv_keeps_a_text_from_being_a_formula(text: str) -> None:
    (record,) = _records(_file([_row(text=text)], Form.CSV))
    assert record["text"] == f"'{text}"
    assert unguarded(record["text"]) == text


@pytest.mark.parametrize("text", ["'tis", "a=1", "'", "''"])
def test_csv_leaves_other_texts_alone(text: str) -> None:
    (record,) = _records(_file([_row(text=text)], Form.CSV))
    assert record["text"] == text == unguarded(text)


def test_csv_ends_its_lines_as_rfc_4180_has_it() -> None:
    assert re.fullmatch(rb"[^\r\n]+\r\n[^\r\n]+\r\n", _file([_row()], Form.CSV))


@given(rows=ROWS)
def test_calendar_programs_read_the_texts(rows: list[Row]) -> None:
    for todo, row in zip(_todos(_file(rows, Form.ICS)), rows, strict=True):
        text = re.sub("\r\n?", "\n", row["text"])
        assert str(todo["SUMMARY"]) == re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\ufffd", text)
        assert str(todo["UID"]) == str(row["id"])
        assert int(todo["X-APPLE-SORT-ORDER"]) == row["order"]


def test_calendar_says_what_it_is_and_who_wrote_it() -> None:
    assert _file([], Form.ICS).splitlines() == [
        b"BEGIN:VCALENDAR",
        b"VERSION:2.0",
        b"PRODID:-//Tasks API//Export//EN",
        b"END:VCALENDAR",
    ]


@given(row=GIVEN_ROWS)
def test_calendar_programs_read_the_times(row: Row) -> None:
    (todo,) = _todos(_file([row], Form.ICS))
    for name, field in {"CREATED": "created_at", "LAST-MODIFIED": "updated_at", "DTSTAMP": "updated_at"}.items():
        assert todo.decoded(name) == row[field].replace(microsecond=0)
    if row["completed"]:
        assert (todo["STATUS"], todo["PERCENT-COMPLETE"]) == ("COMPLETED", 100)
        assert todo.decoded("COMPLETED") == row["completed_at"].replace(microsecond=0)
    else:
        assert (todo["STATUS"], todo["PERCENT-COMPLETE"]) == ("NEEDS-ACTION", 0)
        assert "COMPLETED" not in todo


@given(text=st.text("a\\ü電🐘", min_size=70, max_size=500))
def test_calendar_lines_are_short_and_whole_characters(text: str) -> None:
    file = _file([_row(text=text)], Form.ICS)
    assert file.endswith(b"\r\n")
    for line in file.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line.decode())
    for line, after in pairwise(file.split(b"\r\n")):
        assert not after.startswith(b" ") or len(line) + len(after.decode()[1].encode()) > 75, "no line is broken early"


@pytest.mark.parametrize("form", Form)
def test_no_tasks_make_a_valid_file(form: Form) -> None:
    file = _file([], form)
    if form is Form.JSON:
        assert json.loads(file) == {"tasks": []}
    elif form is Form.CSV:
        assert _records(file) == []
    else:
        assert _todos(file) == []


@pytest.mark.parametrize("form", Form)
def test_export_writes_while_it_reads(form: Form) -> None:
    read = 0

    def rows() -> Any:
        nonlocal read
        for _ in range(10_000):
            read += 1
            yield _row()

    assert next(export(rows(), form))
    assert read <= module.CHUNK


@pytest.mark.django_db(databases=["default", "operator"])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_stream_reads_each_task_once_newest_first(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    tasks = Task.objects.using("operator").owned_by("alice-streams")
    Task.objects.using("operator").bulk_create(
        Task(user_id="alice-streams", text=str(number), created_at=NOON + dt.timedelta(seconds=number // 2))
        for number in range(count)
    )
    newest_first = sorted(tasks.rows(), key=lambda row: (row["created_at"], row["id"]), reverse=True)
    assert list(stream(tasks)) == newest_first
    assert len(list(stream(tasks))) == count


@pytest.mark.django_db(databases=["default", "operator"])
def test_stream_goes_through_the_index() -> None:
    operator = connections["operator"]
    tasks = Task.objects.using("operator")
    tasks.bulk_create(Task(user_id="alice-streams", text=str(number)) for number in range(module.BATCH + 1))
    with CaptureQueriesContext(operator) as queries:
        assert len(list(stream(tasks.owned_by("alice-streams")))) == module.BATCH + 1
    with operator.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
        cursor.execute("EXPLAIN " + queries.captured_queries[-1]["sql"])
        plan = "\n".join(line for (line,) in cursor)
    assert re.search(r"Index Cond: .*ROW\(created_at, id\) <", plan), plan
