"""The wire, by properties: whatever is a task's text or time comes back as it went in."""

import datetime as dt
import json
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.models import Row
from tasks.models import Task as TaskModel
from tasks.schemas import NewTask, Task, TaskList, list_json, task_json
from tests.client import User
from tests.shapes import TIMESTAMP

# https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt, White_Space
WHITE_SPACE = {chr(code) for code in (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))}
WHITE_SPACE |= set("\u2028\u2029\u202f\u205f\u3000")
ANY_TEXT = st.text(min_size=1, max_size=500)
TEXTS = ANY_TEXT.filter(lambda text: set(text) - WHITE_SPACE and "\x00" not in text)
TIMES = st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC))  # noqa: DTZ001 (hypothesis adds the zone)
ROWS = st.builds(
    lambda text, completed, order, times: {
        "id": uuid.uuid4(), "user_id": "alice", "text": text, "completed": completed, "order": order,
        "created_at": times[0], "updated_at": times[1], "completed_at": times[2] if completed else None,
    },
    TEXTS, st.booleans(), st.integers(-(2**31), 2**31 - 1), st.tuples(TIMES, TIMES, TIMES),
)  # fmt: skip

through_http = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@through_http
@given(text=TEXTS)
def test_any_text_comes_back_as_it_was_sent(alice: User, text: str) -> None:
    task = alice.task(text)
    assert task["text"] == text
    assert alice.get(f"/tasks/{task['id']}").json["text"] == text
    assert alice.patch(f"/tasks/{task['id']}", {"text": text[::-1]}).json["text"] == text[::-1]


@through_http
@given(
    text=st.one_of(
        st.text(max_size=600), st.text(alphabet=[*sorted(WHITE_SPACE), "\x00", "\x1c", "\ufeff", "a"], max_size=3)
    )
)
def test_text_is_taken_or_refused_by_the_contract(alice: User, text: str) -> None:
    good = 1 <= len(text) <= 500 and bool(set(text) - WHITE_SPACE) and "\x00" not in text
    assert alice.post("/tasks", {"text": text}).status == (201 if good else 422)


@given(text=st.text(alphabet=st.characters(categories=["Cs"]), min_size=1, max_size=3))
def test_lone_surrogates_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        NewTask.model_validate({"text": text})


@given(row=ROWS)
def test_timestamps_have_six_digits_and_name_the_same_instant(row: Row) -> None:
    shown = json.loads(task_json(row))
    for name in ("created_at", "updated_at", "completed_at"):
        if row[name] is not None:
            assert TIMESTAMP.fullmatch(shown[name])
            assert dt.datetime.fromisoformat(shown[name]) == row[name]


@given(rows=st.lists(ROWS, max_size=5))
def test_json_is_what_the_documented_schema_makes_of_the_rows(rows: list[Row]) -> None:
    """The response models are left out of the way of a request, and stay the oracle here."""
    shown = json.loads(list_json(",".join(task_json(row).decode() for row in rows), len(rows), None))
    assert [Task.model_validate(task) for task in shown["tasks"]] == [Task.model_validate(row) for row in rows]
    assert set(shown) == set(TaskList.model_fields)
    assert all(list(task) == list(Task.model_fields) for task in shown["tasks"])
    assert (shown["count"], shown["next_cursor"]) == (len(rows), None)


@pytest.mark.django_db
@through_http
@given(row=ROWS)
def test_postgresql_writes_the_same_bytes_as_python(row: Row) -> None:
    """The slow and obvious way is the oracle of the quick one."""
    stored = TaskModel.objects.using("operator").filter(id=row["id"])
    stored.create(**row)
    assert stored.as_json_with_tag().get()[0].encode() == task_json(stored.rows().get()) == task_json(row)
