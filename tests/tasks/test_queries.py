"""What the operations return: PostgreSQL's JSON is, byte for byte, what Python makes of the rows; their SQL is kept."""

from typing import Any
from uuid import UUID

import pytest
import uuid6
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.models.sql.compiler import SQLCompiler, SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from hypothesis import given
from hypothesis import strategies as st

from config.postgresql.row_security import acting_as
from tasks import listing, queries
from tasks.models import Task
from tasks.parameters import ListParameters
from tasks.schemas import NewTask, task_json
from tasks.statements import Statement
from tests.environment import API_ROLE
from tests.tasks.test_schemas import TEXTS, through_http

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

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
        assert queries.create_task(ALICE, {"id": task_id} | created).json == _as_python_writes_it(task_id)
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
    task = NewTask(text="a")
    with acting_as(ALICE):
        queries.create_task(ALICE, task.given)
        listing.read(ALICE, ListParameters())
        queries.get_task(ALICE, task.id)
        queries.update_task(ALICE, task.id, {"text": "b", "completed": True})
        queries.delete_task(ALICE, task.id)


def test_queries_name_their_user_also_where_row_level_security_shows_all() -> None:
    tasks = Task.objects.using("operator")
    his = tasks.add(user_id="bob", text="his")["id"]
    assert tasks.one_of("bob", his).exists()
    assert tasks.owned_by("bob").filter(id=his).exists()
    assert not tasks.one_of(ALICE, his).exists()
    assert not tasks.owned_by(ALICE).filter(id=his).exists()


@pytest.fixture
def planner() -> CursorWrapper:
    """The API's, in the operators' transaction: it knows of five users, and of nobody with 500."""
    cursor = connections["operator"].cursor()
    tasks = Task.objects.using("operator")
    tasks.bulk_create(Task(user_id=f"{number % 5}", text="a") for number in range(1000))
    cursor.execute("ANALYZE tasks_task")
    tasks.bulk_create(Task(user_id=ALICE, text="a") for _ in range(500))
    cursor.execute(f"GRANT {API_ROLE} TO CURRENT_USER WITH SET TRUE, INHERIT FALSE; SET LOCAL ROLE {API_ROLE}")
    return cursor


@pytest.mark.parametrize(
    "statement",
    [queries.getting(), queries.updating(("text",), ()), queries.deleting(())],
    ids=["get", "patch", "delete"],
)
def test_one_task_is_found_by_its_id_among_many(planner: CursorWrapper, statement: Statement) -> None:
    planner.execute("SELECT set_config('app.user_id', %s, true)", [ALICE])
    planner.execute(f"EXPLAIN {statement.sql}", statement.bound({"user_id": ALICE, "id": uuid6.uuid7(), "text": "b"}))
    plan = "\n".join(line for (line,) in planner.fetchall())
    assert "Index Scan using tasks_task_pkey" in plan


def test_sql_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_all()
    for compiler in (SQLCompiler, SQLInsertCompiler, SQLUpdateCompiler, SQLDeleteCompiler):
        monkeypatch.setattr(compiler, "as_sql", None)
    _use_all()
