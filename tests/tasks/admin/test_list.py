"""The list of all tasks: what it shows, what it finds, and how much it reads for that."""

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.admin import TaskAdmin
from tasks.models import Task
from tests.shapes import assert_nothing_inline

LIST = "/admin/tasks/task/"

Add = Callable[..., Task]


def _page(operator: Client, **query: str) -> str:
    answer = operator.get(LIST, query)
    assert answer.status_code == 200
    return answer.content.decode()


def _ids(page: str) -> list[str]:
    return re.findall(r'name="_selected_action" value="([^"]+)"', page)


def _link(page: str, rel: str) -> str | None:
    found = re.search(rf'<a href="([^"]+)" rel="{rel}"', page)
    return found and found[1].replace("&amp;", "&")


def _aged(task: Task, **age: float) -> Task:
    created_at = timezone.now() - dt.timedelta(**age)
    Task.objects.using("operator").filter(pk=task.pk).update(created_at=created_at, updated_at=created_at)
    return task


def test_task_is_listed_with_its_text_shortened(operator: Client, add: Add, alice: str) -> None:
    task = add(alice, text=f"<b>{'long ' * 99}")
    page = _page(operator)
    assert f"&lt;b&gt;{'long ' * 15}" in page
    assert "long " * 20 not in page
    assert f'href="/admin/tasks/task/{task.pk}/change/"' in page
    assert_nothing_inline(page)


@pytest.mark.parametrize("term", ["ZEBRA", "zebra wild", "  wild  zebra ", "wild, zebra!"])
def test_search_finds_words_of_the_text(operator: Client, add: Add, alice: str, term: str) -> None:
    found = add(alice, text="Feed the wild zebra")
    add(alice, text="Feed the cat")
    assert _ids(_page(operator, q=term)) == [str(found.pk)]


def test_search_wants_all_words(operator: Client, add: Add, alice: str) -> None:
    add(alice, text="Feed the wild zebra")
    assert _ids(_page(operator, q="wild cat")) == []


def test_search_finds_the_exact_id(operator: Client, add: Add, alice: str) -> None:
    task, _other = add(alice), add(alice)
    assert _ids(_page(operator, q=f" {task.pk} ")) == [str(task.pk)]


def test_search_finds_the_exact_user(operator: Client, task: Task, add: Add) -> None:
    add(f"{task.user_id}2")
    assert _ids(_page(operator, q=task.user_id)) == [str(task.pk)]


def test_search_finds_a_user_whose_id_looks_like_a_tasks(operator: Client, add: Add) -> None:
    task = add(str(uuid.uuid4()))
    assert _ids(_page(operator, q=task.user_id)) == [str(task.pk)]


@pytest.mark.parametrize("term", ["\0", "'", "%", "&|!:*()<->", "\\", "a" * 3000, "{" + str(uuid.UUID(int=0)) + "}"])
def test_search_for_anything_is_answered(operator: Client, task: Task, term: str) -> None:
    found = _ids(_page(operator, q=term))
    assert found == ([str(task.pk)] if term == "\0" else [])  # that one is refused, with a message


def test_link_leads_to_the_tasks_of_one_user(operator: Client, task: Task, add: Add) -> None:
    add("bob")
    page = _page(operator, user_id=task.user_id)
    assert _ids(page) == [str(task.pk)]


@pytest.mark.parametrize(("value", "found"), [("1", [True]), ("0", [False])])
def test_filter_by_completed(operator: Client, add: Add, alice: str, value: str, found: list[bool]) -> None:
    tasks = {str(task.pk): task.completed for task in (add(alice), add(alice, completed=True))}
    page = _page(operator, user_id=alice, completed__exact=value)
    assert [tasks[task_id] for task_id in _ids(page)] == found


@pytest.mark.parametrize(
    ("value", "expected"), [("today", 1), ("7days", 2), ("30days", 3), ("year", 4), ("", 5), ("other", 5)]
)
def test_filter_by_created(operator: Client, add: Add, alice: str, value: str, expected: int) -> None:
    for days in (0, 5, 25, 300, 400):
        _aged(add(alice), days=days)
    assert len(_ids(_page(operator, user_id=alice, created=value))) == expected


@pytest.mark.parametrize("lookup", ["text__regex", "user_id__contains", "text", "updated_at__year", "nonsense"])
def test_filter_that_no_index_is_for_is_refused(operator: Client, task: Task, lookup: str) -> None:
    assert operator.get(LIST, {lookup: task.user_id}).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        *({"p": page} for page in ("2", "older", "older,9999-99-99T00:00:00.000000Z," + "a" * 36, "newer,x,y", "\0")),
        {"o": "5"},
        {"all": ""},
        {"_facets": "True"},
        {"user_id": ""},
        {"p": "older,0000-01-01T00:00:00.000000Z,00000000-0000-0000-0000-000000000000"},
        {"p": "newer,9999-12-31T23:59:59.999999Z,ffffffff-ffff-ffff-ffff-ffffffffffff"},
    ],
)
def test_page_that_is_none_is_the_first(operator: Client, task: Task, query: dict[str, str]) -> None:
    assert _ids(_page(operator, **query)) == [str(task.pk)]


def test_user_id_that_no_database_could_hold_has_no_tasks(operator: Client, task: Task) -> None:
    assert _ids(_page(operator, user_id=f"{task.user_id}\0")) == []


@pytest.mark.parametrize("value", ["2", "x", "\0", ""])
def test_filter_by_no_value_leads_back_to_the_list(operator: Client, value: str) -> None:
    answer = operator.get(LIST, {"completed__exact": value})
    assert answer.status_code in {200, 302}


@pytest.fixture
def hundred_and_twenty(alice: str) -> list[str]:
    """Their ids, newest first. Many of them have come at the same time."""
    at = [timezone.now() - dt.timedelta(minutes=min(number, 50)) for number in range(120)]
    tasks = [Task(user_id=alice, text="Buy groceries", created_at=time, updated_at=time) for time in at]
    Task.objects.using("operator").bulk_create(tasks)
    return [str(task.pk) for task in Task.objects.using("operator").owned_by(alice).newest_first()]


def test_pages_hold_each_task_once(operator: Client, hundred_and_twenty: list[str]) -> None:
    seen, page = [], _page(operator)
    while True:
        seen += _ids(page)
        if not (older := _link(page, "next")):
            break
        page = operator.get(LIST + older).content.decode()
    assert seen == hundred_and_twenty
    newer = operator.get(LIST + str(_link(page, "prev"))).content.decode()
    assert _ids(newer) == hundred_and_twenty[50:100]
    first = operator.get(LIST + str(_link(newer, "prev"))).content.decode()
    assert _ids(first) == hundred_and_twenty[:50]
    assert not _link(first, "prev")


def test_page_stays_when_newer_tasks_come(
    operator: Client, hundred_and_twenty: list[str], add: Add, alice: str
) -> None:
    older = str(_link(_page(operator), "next"))
    add(alice)
    assert _ids(operator.get(LIST + older).content.decode()) == hundred_and_twenty[50:100]


def test_pages_keep_search_and_filters(operator: Client, hundred_and_twenty: list[str], add: Add, alice: str) -> None:
    add(alice, text="something else")
    page = _page(operator, q="groceries", user_id=alice)
    assert "120 tasks" in page
    older = operator.get(LIST + str(_link(page, "next"))).content.decode()
    assert _ids(older) == hundred_and_twenty[50:100]
    assert f"?{urlencode({'q': 'groceries', 'user_id': alice})}".replace("&", "&amp;") in older  # Newest


def _rows_read(executed: list[dict[str, str]]) -> int:
    """By the statements on tasks, when they are run as they were."""
    rows = 0
    with connections["operator"].cursor() as cursor:
        for sql in (query["sql"] for query in executed):
            if sql.startswith("SET LOCAL"):
                cursor.execute(sql)
            elif "tasks_task" in sql:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
                rows += sum(_scanned(cursor.fetchone()[0][0]["Plan"]))
    return rows


def _scanned(plan: dict[str, Any]) -> Iterator[int]:
    if "Relation Name" in plan:
        yield plan["Actual Rows"] + sum(count for name, count in plan.items() if name.startswith("Rows Removed by"))
    for child in plan.get("Plans", []):
        yield from _scanned(child)


def _seed(count: int) -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO tasks_task (id, user_id, text, created_at)"
            " SELECT gen_random_uuid(), 'seed-' || n %% 100, 'task ' || n, statement_timestamp() - n * interval '1 ms'"
            " FROM generate_series(1, %s) AS n",
            [count],
        )
        cursor.execute("ANALYZE tasks_task")


@pytest.mark.parametrize(
    ("query", "at_most"),
    [
        ({}, 1_100),  # a page, and what is counted
        ({"completed__exact": "0"}, 1_100),
        ({"created": "30days"}, 1_100),
        ({"user_id": "seed-1"}, 30),
        ({"q": "seed-1"}, 30),
        ({"q": "task 777"}, 1),
        ({"q": "00000000-0000-7000-8000-000000000001"}, 0),
    ],
)
def test_list_reads_no_more_than_it_shows(operator: Client, query: dict[str, str], at_most: int) -> None:
    _seed(3_000)
    with CaptureQueriesContext(connections["operator"]) as executed:
        _page(operator, **query)
    assert _rows_read(executed.captured_queries) <= at_most


def test_search_for_a_word_that_is_nowhere_reads_nothing(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL takes it for frequent, and on short pages (on longer ones of more tasks) would look for it itself."""
    monkeypatch.setattr(TaskAdmin, "list_per_page", 1)
    _seed(20_000)
    with CaptureQueriesContext(connections["operator"]) as executed:
        _page(operator, q="zebra")
    assert _rows_read(executed.captured_queries) == 0
