"""What the operations return: PostgreSQL's JSON is, byte for byte, what Python makes of the rows; their SQL is kept."""

from typing import Any
from uuid import UUID

import pytest
import uuid6
from django.db.models.sql.compiler import SQLCompiler, SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from hypothesis import given
from hypothesis import strategies as st

from config.postgresql.row_security import acting_as
from tasks import listing, queries
from tasks.models import Task
from tasks.parameters import ListParameters
from tasks.schemas import NewTask, task_json
from tests.tasks.test_schemas import TEXTS, through_http

pytestmark = pytest.mark.django_db

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "completed": st.booleans(),
    "order": st.integers(-(2**31), 2**31 - 1),
}
ALICE = "alice-queries"


def _as_python_writes_it(task_id: UUID) -> str:
    return task_json(Task.objects.rows().get(id=task_id)).decode()


@through_http
@given(created=st.fixed_dictionaries(VALUES), changes=st.fixed_dictionaries({}, optional=VALUES))
def test_a_task_has_the_bytes_that_python_makes_of_its_row(created: dict[str, Any], changes: dict[str, Any]) -> None:
    task_id = uuid6.uuid7()
    with acting_as(ALICE):
        assert queries.create_task(ALICE, task_id, created).json == _as_python_writes_it(task_id)
        assert queries.update_task(ALICE, task_id, changes).json == _as_python_writes_it(task_id)
        assert queries.get_task(ALICE, task_id).json == _as_python_writes_it(task_id)
        assert Task.objects.values(*VALUES).get(id=task_id) == created | changes


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_has_the_bytes_that_python_makes_of_its_rows(count: int) -> None:
    with acting_as(ALICE):
        for number in range(count):
            Task.objects.add(user_id=ALICE, text=f"{number}", completed=bool(number % 2))
        rows = Task.objects.owned_by(ALICE).newest_first().rows()
        expected = ",\n".join(task_json(row).decode() for row in rows)
        page = listing.read(ALICE, ListParameters())
    assert (page.tasks, page.count, page.next_cursor) == (expected, count, None)


def _use_all() -> None:
    task_id = uuid6.uuid7()
    with acting_as(ALICE):
        queries.create_task(ALICE, task_id, NewTask(text="a").model_dump())
        listing.read(ALICE, ListParameters())
        queries.get_task(ALICE, task_id)
        queries.update_task(ALICE, task_id, {"text": "b", "completed": True})
        queries.delete_task(ALICE, task_id)


def test_sql_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_all()
    for compiler in (SQLCompiler, SQLInsertCompiler, SQLUpdateCompiler, SQLDeleteCompiler):
        monkeypatch.setattr(compiler, "as_sql", None)
    _use_all()
