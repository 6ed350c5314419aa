"""The form of one task: the API's rules, the database's times, and nobody's work overwritten."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks.models import ORDER_MAX, ORDER_MIN, Task
from tests.shapes import assert_nothing_inline

ADD = "/admin/tasks/task/add/"

Add = Callable[..., Task]


def _url(task: Task, verb: str = "change") -> str:
    return f"/admin/tasks/task/{task.pk}/{verb}/"


def _opened(operator: Client, task: Task) -> dict[str, str]:
    """What a browser would send, as the form was opened."""
    page = operator.get(_url(task)).content.decode()
    assert_nothing_inline(page)
    version = re.search(r'name="version" value="([^"]+)"', page)
    assert version
    return {"text": task.text, "order": str(task.order), "version": version[1]}


def _stored(task: Task) -> Task:
    return Task.objects.using("operator").get(pk=task.pk)


def test_change_writes_and_sets_the_time(operator: Client, task: Task) -> None:
    form = _opened(operator, task)
    answer = operator.post(_url(task), form | {"text": "b", "completed": "on", "order": "4"})
    assert answer.status_code == 302
    stored = _stored(task)
    assert (stored.text, stored.completed, stored.order) == ("b", True, 4)
    assert stored.completed_at == stored.updated_at > stored.created_at


def test_change_is_in_the_history_without_the_text(operator: Client, task: Task) -> None:
    operator.post(_url(task), _opened(operator, task) | {"text": "a secret"})
    entry = LogEntry.objects.get(object_id=str(task.pk), action_flag=CHANGE)
    assert entry.get_change_message() == "Changed text."
    assert (entry.object_repr, "secret" in entry.change_message) == (str(task.pk), False)
    assert "Changed text." in operator.get(_url(task, "history")).content.decode()


def test_change_of_nothing_keeps_the_time(operator: Client, task: Task) -> None:
    operator.post(_url(task), _opened(operator, task))
    assert _stored(task).updated_at == task.updated_at


def test_add_lets_the_database_decide_the_times(operator: Client, alice: str) -> None:
    answer = operator.post(ADD, {"user_id": alice, "text": "a", "completed": "on", "order": "0"})
    assert answer.status_code == 302
    task = Task.objects.using("operator").get(user_id=alice)
    assert task.created_at == task.updated_at == task.completed_at
    assert LogEntry.objects.filter(object_id=str(task.pk), action_flag=ADDITION).count() == 1


def test_add_takes_a_user_id_exactly(operator: Client) -> None:
    operator.post(ADD, {"user_id": "  spaced ", "text": "  a ", "order": "0"})
    task = Task.objects.using("operator").get(user_id="  spaced ")
    assert task.text == "  a "


@pytest.mark.parametrize("user_id", ["", " ", "\0", "a\0", "x" * 256])
def test_add_refuses_an_impossible_user_id(operator: Client, user_id: str) -> None:
    page = operator.post(ADD, {"user_id": user_id, "text": "a", "order": "0"})
    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    assert not Task.objects.using("operator").exists()


def test_owner_of_a_task_stays(operator: Client, task: Task) -> None:
    operator.post(_url(task), _opened(operator, task) | {"user_id": "mallory", "text": "b"})
    stored = _stored(task)
    assert (stored.user_id, stored.text) == (task.user_id, "b")


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"text": ""}, "This field is required"),
        ({"text": " \r\n\t"}, "must not be only white space"),
        ({"text": "\u3000\u2003\x85"}, "must not be only white space"),
        ({"text": "a\0"}, "must not contain NUL"),
        ({"text": "x" * 501}, "at most 500 characters"),
        ({"order": ""}, "This field is required"),
        ({"order": "one"}, "Enter a whole number"),
        ({"order": str(ORDER_MAX + 1)}, "less than or equal to 2147483647"),
        ({"order": str(ORDER_MIN - 1)}, "greater than or equal to -2147483648"),
        ({"order": "9" * 5000}, "Enter a whole number"),
    ],
)
def test_what_the_api_refuses_is_an_error_on_the_form(
    operator: Client, task: Task, sent: dict[str, str], error: str
) -> None:
    page = operator.post(_url(task), _opened(operator, task) | sent)
    assert page.status_code == 200
    assert error in page.content.decode()
    assert _stored(task).updated_at == task.updated_at


def test_lone_surrogate_comes_as_a_replacement(operator: Client, task: Task) -> None:
    form = {**_opened(operator, task), "text": "X"}
    body = "&".join(f"{name}={value}" for name, value in form.items()).replace("text=X", "text=%ED%A0%80")
    answer = operator.generic("POST", _url(task), body, "application/x-www-form-urlencoded")
    assert answer.status_code == 302
    assert set(_stored(task).text) == {"\N{REPLACEMENT CHARACTER}"}


def test_text_of_500_characters_fits_however_long_it_is_in_utf_16(operator: Client, task: Task) -> None:
    text = "🐘\r\n" * 250  # as browsers send line ends
    assert operator.post(_url(task), _opened(operator, task) | {"text": text}).status_code == 302
    assert _stored(task).text == "🐘\n" * 250
    assert "maxlength" not in operator.get(_url(task)).content.decode().partition("<textarea")[2].partition(">")[0]


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\rb\n", "\n a"])
def test_text_that_is_not_touched_keeps_its_line_ends(operator: Client, add: Add, alice: str, text: str) -> None:
    task = add(alice, text=text)
    as_a_browser_sends_it = re.sub("\r\n?|\n", "\r\n", text)
    operator.post(_url(task), _opened(operator, task) | {"text": as_a_browser_sends_it, "order": "7"})
    stored = _stored(task)
    assert (stored.text, stored.order) == (text, 7)


def _changed_meanwhile(task: Task, **values: Any) -> None:
    Task.objects.using("operator").filter(pk=task.pk).change(**values)


def test_change_of_a_changed_task_is_refused_once(operator: Client, task: Task) -> None:
    form = _opened(operator, task) | {"text": "the operator's"}
    _changed_meanwhile(task, text="the user's", completed=True)
    page = operator.post(_url(task), form).content.decode()
    assert "the task has changed since you opened this page" in page
    assert "“the user&#x27;s”, completed, order 0" in page
    assert "the operator&#x27;s</textarea>" in page
    assert _stored(task).text == "the user's"
    assert not LogEntry.objects.filter(object_id=str(task.pk)).exists()
    version = re.search(r'name="version" value="([^"]+)"', page)
    assert version
    assert operator.post(_url(task), form | {"version": version[1]}).status_code == 302
    assert _stored(task).text == "the operator's"


def test_change_locks_the_task_before_it_looks(operator: Client, task: Task) -> None:
    """So that nothing comes between the look and the write."""
    form = _opened(operator, task)
    with CaptureQueriesContext(connections["operator"]) as executed:
        operator.post(_url(task), form | {"text": "b"})
    statements = [query["sql"] for query in executed if "tasks_task" in query["sql"]]
    (lock,) = (number for number, sql in enumerate(statements) if sql.endswith("FOR UPDATE"))
    assert [sql.split()[0] for sql in statements[lock:]] == ["SELECT", "UPDATE"]


@pytest.mark.parametrize("version", ["", "2026-11-21", "x"])
def test_change_without_the_version_is_refused(operator: Client, task: Task, version: str) -> None:
    page = operator.post(_url(task), _opened(operator, task) | {"text": "b", "version": version})
    assert "the task has changed" in page.content.decode()
    assert _stored(task).text == task.text


def test_change_of_a_deleted_task_shows_what_was_typed(operator: Client, task: Task) -> None:
    form = _opened(operator, task) | {"text": "typed <with care>"}
    Task.objects.using("operator").filter(pk=task.pk).remove()
    page = operator.post(_url(task), form).content.decode()
    assert "Somebody deleted the task after you opened it" in page
    assert "typed &lt;with care&gt;</textarea>" in page
    assert_nothing_inline(page)


def test_page_of_no_task_leads_back(operator: Client) -> None:
    for task_id in ("nonsense", "01938f3a-1234-7000-8000-000000000001"):
        assert operator.get(f"/admin/tasks/task/{task_id}/change/").status_code == 302


def test_delete_deletes_and_is_in_the_history(operator: Client, task: Task) -> None:
    assert operator.post(_url(task, "delete"), {"post": "yes"}).status_code == 302
    assert not Task.objects.using("operator").filter(pk=task.pk).exists()
    assert LogEntry.objects.filter(object_id=str(task.pk), action_flag=DELETION).count() == 1


@pytest.mark.parametrize("verb", ["change", "delete"])
def test_who_may_view_cannot_write(sign_in: Callable[..., Client], task: Task, verb: str) -> None:
    viewer = sign_in("view")
    page = viewer.get(_url(task))
    assert page.status_code == 200
    assert "<textarea" not in page.content.decode()
    assert viewer.post(_url(task, verb), {"text": "b", "order": "0", "post": "yes"}).status_code == 403
    assert viewer.post(ADD, {"user_id": "a", "text": "b", "order": "0"}).status_code == 403
    assert _stored(task).text == task.text


def test_who_may_nothing_sees_nothing(sign_in: Callable[..., Client], task: Task) -> None:
    for url in ("/admin/tasks/task/", _url(task), _url(task, "history"), ADD):
        assert sign_in().get(url).status_code == 403
