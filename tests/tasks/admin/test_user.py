"""The pages on one user, whatever their id looks like."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode

import icalendar
import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import DELETION, LogEntry
from django.http import StreamingHttpResponse
from django.test import AsyncClient, Client
from django.utils.html import escape

from tasks.admin import users
from tasks.models import Task
from tests.shapes import assert_nothing_inline

Add = Callable[..., Task]

OPAQUE = [
    "alice",
    "a/../b",
    "?a=b&c=d#e",
    "%2F%00",
    " ",
    "\"'<script>alert(1)</script>",
    "アリス🐘",
    "\u202ealice",
    "x" * 255,
]
EXPORT, ERASE = "export", "erase"


def _url(user_id: str, page: str = "") -> str:
    return f"/admin/tasks/task/user/{page and page + '/'}?{urlencode({'user_id': user_id})}"


def _stored(user_id: str) -> int:
    return Task.objects.using("operator").owned_by(user_id).count()


@pytest.mark.parametrize("user_id", OPAQUE)
def test_page_of_a_user_of_any_id(operator: Client, add: Add, user_id: str) -> None:
    task, _others = add(user_id, text="Feed the zebra"), add(f"{user_id[:-1]}y", text="Feed the cat")
    page = operator.get("/admin/tasks/task/", {"q": "zebra"}).content.decode()
    link = re.search(r'<a href="([^"]+/user/[^"]+)"', page)
    assert link
    assert link[1].replace("&amp;", "&") == _url(user_id)
    answer = operator.get(_url(user_id))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert f"<bdi>{escape(user_id)}</bdi>" in page
    assert f"/admin/tasks/task/{task.pk}/change/" in page
    assert "cat" not in page.partition("Export")[0].partition("Their newest")[2]
    assert_nothing_inline(page)


def _facts(page: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))


def test_page_counts(operator: Client, add: Add, alice: str) -> None:
    add(alice), add(alice, completed=True), add("bob")
    Task.objects.using("operator").owned_by(alice).filter(completed=True).update(created_at="2026-01-02T03:04:05Z")
    facts = _facts(operator.get(_url(alice)).content.decode())
    assert (facts["Open"], facts["Completed"], facts["First activity"]) == ("1", "1", "2026-01-02 03:04:05 UTC")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", facts["Last activity"])


def test_page_shows_the_newest_and_leads_to_all(operator: Client, add: Add, alice: str) -> None:
    ids = [str(add(alice).pk) for _ in range(users.NEWEST + 2)]
    page = operator.get(_url(alice)).content.decode()
    assert re.findall(r"/task/([0-9a-f-]{36})/change/", page) == ids[:1:-1]
    assert f'href="/admin/tasks/task/?{escape(urlencode({"user_id": alice}))}"' in page


def test_page_of_somebody_without_tasks(operator: Client, alice: str) -> None:
    page = operator.get(_url(alice)).content.decode()
    assert "There are no tasks of this user." in page
    assert _facts(page)["Last activity"] == "–"  # noqa: RUF001 (a dash, as the page has it)


@pytest.mark.parametrize("user_id", ["", "\0", "x" * 256])
@pytest.mark.parametrize("page", ["", ERASE])
def test_what_can_be_no_user_is_refused(operator: Client, user_id: str, page: str) -> None:
    assert operator.get(_url(user_id, page)).status_code == 400


def _export(client: Client, user_id: str, form: str) -> bytes:
    answer = cast("StreamingHttpResponse", client.post(_url(user_id, EXPORT), {"form": form}))
    assert (answer.status_code, answer.streaming) == (200, True)
    assert re.fullmatch(rf'attachment; filename="tasks-[0-9-]+\.{form}"', answer["Content-Disposition"])
    return answer.getvalue()


def test_export_in_each_form(operator: Client, task: Task, add: Add) -> None:
    add("bob")
    (exported,) = json.loads(_export(operator, task.user_id, "json"))["tasks"]
    assert exported["id"] == str(task.pk)
    (record,) = csv.DictReader(io.StringIO(_export(operator, task.user_id, "csv").decode(), newline=""))
    assert record["id"] == str(task.pk)
    (todo,) = icalendar.Calendar.from_ical(_export(operator, task.user_id, "ics")).walk("VTODO")
    assert str(todo["UID"]) == str(task.pk)


def test_export_is_streamed_by_an_asgi_server_too(operator: Client, task: Task) -> None:
    async def export() -> bytes:
        client = AsyncClient()
        client.cookies = operator.cookies
        answer: Any = await client.post(_url(task.user_id, EXPORT), {"form": "json"})
        assert answer.is_async  # else Django would put it together first
        return b"".join([chunk async for chunk in answer])

    assert async_to_sync(export)() == _export(operator, task.user_id, "json")


def test_export_in_no_form_is_refused(operator: Client, task: Task) -> None:
    assert operator.post(_url(task.user_id, EXPORT), {"form": "xlsx"}).status_code == 400


def test_export_is_for_post(operator: Client, task: Task) -> None:
    assert operator.get(_url(task.user_id, EXPORT), {"form": "json"}).status_code == 405


def test_erase_asks_and_nothing_is_gone_before(operator: Client, task: Task) -> None:
    page = operator.get(_url(task.user_id, ERASE)).content.decode()
    assert "Type the user id to confirm" in page
    assert_nothing_inline(page)
    assert _stored(task.user_id) == 1


@pytest.mark.parametrize("typed", ["", "alic", "ALICE", " alice", "yes"])
def test_erase_wants_the_user_id_typed(operator: Client, add: Add, typed: str) -> None:
    add("alice")
    answer = operator.post(_url("alice", ERASE), {"confirmation": typed})
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert _stored("alice") == 1


@pytest.mark.parametrize("user_id", ["?a=b&c=d#e/ü", " ", "x" * 255])
def test_erase_deletes_all_and_is_noted(operator: Client, add: Add, user_id: str) -> None:
    add(user_id), add(user_id), add(f"{user_id[:-1]}y")
    answer = operator.post(_url(user_id, ERASE), {"confirmation": user_id})
    assert (answer.status_code, answer["Location"]) == (302, _url(user_id))
    assert (_stored(user_id), _stored(f"{user_id[:-1]}y")) == (0, 1)
    entry = LogEntry.objects.get(object_id=user_id)
    assert (entry.action_flag, entry.change_message) == (DELETION, "Erased the user, with 2 tasks.")
    assert (
        operator.get(_url(user_id)).content.decode().count("Erased the user, with 2 tasks.") == 2
    )  # now, and for good
    assert operator.get("/admin/").status_code == 200  # which lists what was done last


def test_erase_of_a_user_whose_id_nobody_can_type(operator: Client, add: Add) -> None:
    add("two\r\nlines")
    operator.post(_url("two\r\nlines", ERASE), {"confirmation": "twolines"})
    assert _stored("two\r\nlines") == 0


def test_who_may_view_may_look_and_export(sign_in: Callable[..., Client], task: Task) -> None:
    viewer = sign_in("view")
    page = viewer.get(_url(task.user_id)).content.decode()
    assert task.text in page
    assert "Erase" not in page
    assert task.text.encode() in _export(viewer, task.user_id, "json")


@pytest.mark.parametrize("may", [(), ("view",), ("view", "add", "change")])
def test_who_may_not_delete_cannot_erase(sign_in: Callable[..., Client], task: Task, may: tuple[str, ...]) -> None:
    client = sign_in(*may)
    assert client.get(_url(task.user_id, ERASE)).status_code == 403
    assert client.post(_url(task.user_id, ERASE), {"confirmation": task.user_id}).status_code == 403
    assert _stored(task.user_id) == 1


def test_who_may_not_view_sees_nothing(sign_in: Callable[..., Client], task: Task) -> None:
    client = sign_in("add")
    assert client.get(_url(task.user_id)).status_code == 403
    assert client.post(_url(task.user_id, EXPORT), {"form": "json"}).status_code == 403


@pytest.mark.parametrize("page", ["", EXPORT, ERASE])
def test_who_is_not_signed_in_is_sent_to_the_login(task: Task, page: str) -> None:
    answer = Client().post(_url(task.user_id, page), {"confirmation": task.user_id, "form": "json"})
    assert (answer.status_code, answer["Location"].startswith("/admin/login/")) == (302, True)
    assert _stored(task.user_id) == 1


@pytest.mark.parametrize("page", [EXPORT, ERASE])
def test_post_without_the_csrf_token_is_refused(operator: Client, task: Task, page: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    fields = {"confirmation": task.user_id, "form": "json"}
    assert strict.post(_url(task.user_id, page), fields).status_code == 403
    assert _stored(task.user_id) == 1
