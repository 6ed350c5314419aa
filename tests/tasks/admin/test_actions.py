"""Actions on a selection: each asks once, does what it said, says how many, and is noted."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db import connections
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks.admin import actions
from tasks.models import Task
from tests.shapes import assert_nothing_inline

LIST = "/admin/tasks/task/"
WRITES = ["complete", "reopen", "delete_selected"]
EXPORTS = ["export_csv", "export_json"]

Add = Callable[..., Task]
Fields = dict[str, Any]


def _chosen(action: str, tasks: Iterable[Task], *, across: bool = False) -> Fields:
    """What the list sends."""
    ids = [str(task.pk) for task in tasks]
    return {"action": action, "_selected_action": ids, "select_across": str(int(across)), "index": "0"}


def _ask(client: Client, fields: Fields, query: str = "") -> tuple[str, Fields]:
    """Send what was chosen; the page that asks, and what it would send."""
    answer = client.post(LIST + query, fields)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert_nothing_inline(page)
    form = page[page.index('class="task-buttons"') :]
    sent: Fields = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form):
        sent.setdefault(name, []).append(value)
    return page, sent


def _do(client: Client, action: str, tasks: Iterable[Task], query: str = "", *, across: bool = False) -> str:
    """Choose, confirm, and read what the list says then."""
    _page, sent = _ask(client, _chosen(action, tasks, across=across), query)
    answer = client.post(LIST + query, sent)
    assert answer.status_code == 302
    page = client.get(answer["Location"]).content.decode()
    said = re.search(r'<ul class="messagelist">(.*?)</ul>', page, re.DOTALL)
    assert said
    return re.sub(r"<[^>]+>|\s+", " ", said[1]).strip()


def _download(client: Client, action: str, tasks: Iterable[Task], query: str = "", *, across: bool = False) -> bytes:
    _page, sent = _ask(client, _chosen(action, tasks, across=across), query)
    answer = cast("StreamingHttpResponse", client.post(LIST + query, sent))
    assert (answer.status_code, answer.streaming) == (200, True)
    assert answer["Content-Disposition"].startswith('attachment; filename="tasks-')
    return answer.getvalue()


def _stored(user_id: str) -> list[Task]:
    return list(Task.objects.using("operator").owned_by(user_id).newest_first())


def _noted(task: Task) -> list[tuple[int, str]]:
    return list(LogEntry.objects.filter(object_id=str(task.pk)).values_list("action_flag", "change_message"))


@pytest.mark.parametrize("action", WRITES)
def test_nothing_is_written_before_it_is_confirmed(operator: Client, task: Task, action: str) -> None:
    page, _sent = _ask(operator, _chosen(action, [task]))
    assert "1 task" in page
    assert task.text in page
    assert _stored(task.user_id) == [task]
    assert _stored(task.user_id)[0].updated_at == task.updated_at
    assert not _noted(task)


def test_complete_sets_the_times_and_is_noted(operator: Client, task: Task, add: Add) -> None:
    other = add("bob")
    assert _do(operator, "complete", [task]) == "Completed 1 task."
    (stored,) = _stored(task.user_id)
    assert stored.completed
    assert stored.completed_at == stored.updated_at > task.updated_at
    assert _noted(task) == [(CHANGE, "Completed, in the list.")]
    assert (_stored("bob")[0].completed, _noted(other)) == (False, [])


def test_complete_leaves_and_counts_out_what_is_completed(operator: Client, task: Task, add: Add) -> None:
    done = add(task.user_id, completed=True)
    said = _do(operator, "complete", [task, done])
    assert said == "Completed 1 task. There was nothing to do with the others."
    assert Task.objects.using("operator").get(pk=done.pk).updated_at == done.updated_at
    assert not _noted(done)


def test_reopen_clears_the_time_and_is_noted(operator: Client, add: Add, alice: str) -> None:
    tasks = [add(alice, completed=True), add(alice, completed=True)]
    assert _do(operator, "reopen", tasks) == "Reopened 2 tasks."
    assert [(task.completed, task.completed_at) for task in _stored(alice)] == [(False, None)] * 2
    assert _noted(tasks[0]) == [(CHANGE, "Reopened, in the list.")]


def test_delete_deletes_and_is_noted_without_the_text(operator: Client, task: Task, add: Add) -> None:
    kept = add(task.user_id)
    assert _do(operator, "delete_selected", [task]) == "Deleted 1 task."
    assert _stored(task.user_id) == [kept]
    entry = LogEntry.objects.get(object_id=str(task.pk))
    assert (entry.action_flag, entry.object_repr) == (DELETION, str(task.pk))


def test_across_all_pages_means_what_matches(operator: Client, add: Add, alice: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(actions, "BATCH", 2)
    tasks = [add(alice, text=f"zebra {number}") for number in range(5)]
    cat, bobs = add(alice, text="cat"), add("bob", text="zebra")
    query = f"?{urlencode({'q': 'zebra', 'user_id': alice})}"
    said = _do(operator, "complete", tasks[:1], query, across=True)
    assert said == "Completed 5 tasks."
    assert {task.pk for task in _stored(alice) if not task.completed} == {cat.pk}
    assert not Task.objects.using("operator").get(pk=bobs.pk).completed
    assert all(_noted(task) for task in tasks)


def test_across_all_pages_while_the_filter_stops_matching(
    operator: Client, add: Add, alice: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(actions, "BATCH", 2)
    tasks = [add(alice) for _ in range(5)]
    assert _do(operator, "complete", tasks[:1], "?completed__exact=0", across=True) == "Completed 5 tasks."


def test_across_all_pages_asks_with_one_id_and_few_statements(operator: Client, add: Add, alice: str) -> None:
    tasks = [add(alice) for _ in range(30)]
    with CaptureQueriesContext(connections["operator"]) as executed:
        _page, sent = _ask(operator, _chosen("delete_selected", tasks[:20], across=True))
    assert len(sent["_selected_action"]) == 1
    assert len(executed) < 20


def test_too_many_are_refused_before_anything_is_written(
    operator: Client, add: Add, alice: str, monkeypatch: Any
) -> None:
    tasks = [add(alice) for _ in range(3)]
    _page, sent = _ask(operator, _chosen("delete_selected", tasks))
    monkeypatch.setattr(actions, "MOST", 2)
    page = operator.post(LIST, _chosen("delete_selected", tasks)).content.decode()
    assert "at most 2 tasks" in page
    assert "confirmed" not in page
    operator.post(LIST, sent)
    assert "Nothing was done" in operator.get(LIST).content.decode()
    assert len(_stored(alice)) == 3


def test_tasks_that_went_meanwhile_are_not_counted(operator: Client, task: Task, add: Add) -> None:
    gone = add(task.user_id)
    _page, sent = _ask(operator, _chosen("delete_selected", [task, gone]))
    Task.objects.using("operator").filter(pk=gone.pk).remove()
    operator.post(LIST, sent)
    assert "Deleted 1 task." in operator.get(LIST).content.decode()
    assert not _noted(gone)


def test_export_as_csv(operator: Client, task: Task, add: Add) -> None:
    add("bob")
    file = _download(operator, "export_csv", [task]).decode()
    (record,) = csv.DictReader(io.StringIO(file, newline=""), strict=True)
    assert (record["id"], record["user_id"], record["text"]) == (str(task.pk), task.user_id, task.text)


def test_export_as_json_across_all_pages(operator: Client, add: Add, alice: str) -> None:
    ids = [str(add(alice, text="zebra").pk) for _ in range(3)]
    add(alice, text="cat")
    file = json.loads(_download(operator, "export_json", _stored(alice)[:1], "?q=zebra", across=True))
    assert [task["id"] for task in file["tasks"]] == ids[::-1]


@pytest.mark.parametrize("action", EXPORTS)
def test_export_asks_with_the_number(operator: Client, task: Task, action: str) -> None:
    page, sent = _ask(operator, _chosen(action, [task]))
    assert f"Export 1 task as {action[7:].upper()}" in page
    assert sent["action"] == [action]


def _confirmed(action: str, task: Task) -> Fields:
    return {"action": action, "_selected_action": str(task.pk), "select_across": "0", "confirmed": "yes"}


@pytest.mark.parametrize(
    ("may", "action"),
    [
        *((("view",), action) for action in WRITES),
        (("view", "change"), "delete_selected"),
        (("view", "delete"), "complete"),
        (("view", "add"), "reopen"),
    ],
)
def test_action_that_is_not_allowed_is_not_there(
    sign_in: Callable[..., Client], add: Add, alice: str, may: tuple[str, ...], action: str
) -> None:
    task = add(alice, completed=action == "reopen")
    client = sign_in(*may)
    assert f'value="{action}"' not in client.get(LIST).content.decode()
    for fields in (_chosen(action, [task]), _confirmed(action, task)):
        assert client.post(LIST, fields).status_code == 302
        assert "No action selected" in client.get(LIST).content.decode()
    assert [stored.updated_at for stored in _stored(alice)] == [task.updated_at]


@pytest.mark.parametrize("action", EXPORTS)
def test_who_may_view_may_export(sign_in: Callable[..., Client], task: Task, action: str) -> None:
    assert task.text.encode() in _download(sign_in("view"), action, [task])


@pytest.mark.parametrize("action", [*WRITES, *EXPORTS])
def test_who_may_not_view_may_do_nothing(sign_in: Callable[..., Client], task: Task, action: str) -> None:
    assert sign_in("delete").post(LIST, _confirmed(action, task)).status_code == 403
    assert _stored(task.user_id) == [task]


@pytest.mark.parametrize("action", [*WRITES, *EXPORTS])
def test_action_by_get_or_without_the_csrf_token_does_nothing(operator: Client, task: Task, action: str) -> None:
    page = cast("HttpResponse", operator.get(LIST, _confirmed(action, task)))
    assert page.status_code == 400  # what GET asks for is filters, and these are none
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert strict.post(LIST, _confirmed(action, task)).status_code == 403
    assert _stored(task.user_id)[0].updated_at == task.updated_at


def test_what_is_no_task_is_refused(operator: Client) -> None:
    fields = {"action": "complete", "_selected_action": "nonsense", "index": "0"}
    assert operator.post(LIST, fields).status_code == 400


def test_nothing_selected_is_said(operator: Client, task: Task) -> None:
    operator.post(LIST, _chosen("complete", []))
    assert "Items must be selected" in operator.get(LIST).content.decode()
    assert _stored(task.user_id)[0].updated_at == task.updated_at
