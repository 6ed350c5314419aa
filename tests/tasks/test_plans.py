"""Plans that the server keeps: made while there were few tasks, they have to do for many, and for any user."""

import contextlib
import re

import pytest
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from config.postgresql import roles
from tasks import changes, listing, queries
from tasks.statements import Statement
from tests.environment import API_ROLE

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

ONE = {
    "get": queries.getting(),
    "replace": queries.updating(("text", "completed", "order"), ()),
    "update if": queries.updating(("text",), ("match", "none_match")),
    "delete": queries.deleting(()),
}
ASKED = [*((sort, ()) for sort in listing._SORTS), *((sort, ("completed",)) for sort in ("created_at", "-created_at"))]
LISTS = {f"{asked} whole": listing._whole(*asked) for asked in ASKED} | {
    f"{asked} {after}": listing._page(*asked, after=after) for asked in ASKED for after in (False, True)
}
FILL = "INSERT INTO tasks_task (id, user_id, text) SELECT gen_random_uuid(), number::text, 'a' FROM"


@pytest.fixture(params=[0, 1000])
def planner(request: pytest.FixtureRequest) -> CursorWrapper:
    """The API's, in the operators' transaction, which keeps a plan from when there were five tasks."""
    cursor = connections["operator"].cursor()
    with contextlib.suppress(LookupError), transaction.atomic("operator"):  # room of others, who are gone
        cursor.execute(f"{FILL} generate_series(1, %s) AS number", [request.param])
        raise LookupError
    cursor.execute(f"{FILL} generate_series(1, 5) AS number")
    cursor.execute("ANALYZE tasks_task")
    cursor.execute(f"GRANT {API_ROLE} TO CURRENT_USER WITH SET TRUE, INHERIT FALSE; SET LOCAL ROLE {API_ROLE}")
    for name, value in roles.API_SETTINGS.items():
        cursor.execute(f"SET LOCAL {name} = '{value}'")
    cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    return cursor


def _plan(planner: CursorWrapper, statement: Statement) -> str:
    assert statement.prepare
    count = len(statement.parameters)
    planner.execute("PREPARE kept AS " + statement.sql % tuple(f"${number + 1}" for number in range(count)))
    planner.execute(f"EXPLAIN (COSTS OFF) EXECUTE kept({', '.join(['NULL'] * count)})")
    plan = "\n".join(line for (line,) in planner.fetchall())
    planner.execute("DEALLOCATE kept")
    return plan


@pytest.mark.parametrize("statement", ONE.values(), ids=ONE)
def test_one_task_is_found_by_its_id(planner: CursorWrapper, statement: Statement) -> None:
    assert re.findall(r"Scan.*? using (\w+)", _plan(planner, statement)) == ["tasks_task_pkey"]


@pytest.mark.parametrize("statement", LISTS.values(), ids=LISTS)
def test_list_is_read_in_an_index_of_its_user(planner: CursorWrapper, statement: Statement) -> None:
    plan = _plan(planner, statement)
    indexes = re.findall(r"Index .*?(?:using|on) (\w+)", plan)
    assert [index for index in indexes if not re.match(r"(task|tombstone)_user_", index)] == []
    assert len(re.findall(r"Index Cond: \(+user_id(?:\)::text)? = ", plan)) == len(indexes)
    assert not re.search("Seq Scan|Bitmap", plan)
    assert indexes.count("tombstone_user_revision") <= 1  # once for the page


def test_newest_revision_is_two_lookups(planner: CursorWrapper) -> None:
    assert re.findall(r"Scan.* using (\w+)", _plan(planner, changes.newest())) == [
        "task_user_revision",
        "tombstone_user_revision",
    ]


@pytest.mark.parametrize("filters", [("q",), ("created_at_gte",), ("completed", "updated_at_lt")])
def test_what_depends_on_what_is_asked_for_is_planned_each_time(filters: tuple[str, ...]) -> None:
    assert not listing._whole("-created_at", filters).prepare
    assert not listing._page("-created_at", filters, after=True).prepare
    assert not listing._page("order", ("completed",), after=True).prepare
