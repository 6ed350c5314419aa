"""What a user can do about all that is kept of them: look, take it along, have it deleted."""

import csv
import io
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import icalendar
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks import export, queries
from tasks.export import Form
from tests.client import Answer, User
from tests.shapes import assert_error

FORMS = {
    "": "application/json",
    "?format=json": "application/json",
    "?format=csv": "text/csv; charset=utf-8; header=present",
    "?format=ics": "text/calendar; charset=utf-8",
}
READERS: dict[str, Callable[[bytes], list[str]]] = {
    "": lambda file: [task["text"] for task in json.loads(file)["tasks"]],
    "?format=csv": lambda file: [task["text"] for task in csv.DictReader(io.StringIO(file.decode(), newline=""))],
    "?format=ics": lambda file: [str(todo["SUMMARY"]) for todo in icalendar.Calendar.from_ical(file).walk("VTODO")],
}


def _erase(user: User, confirm: str | None) -> Answer:
    return user.delete(f"/me?confirm={quote(confirm or '')}")


def test_me_counts_open_and_completed_tasks(alice: User) -> None:
    for completed in (True, False, True):
        alice.task(completed=completed)
    answer = alice.get("/me")
    assert answer.status == 200
    assert answer.json == {"user_id": alice.sub, "counts": {"open": 1, "completed": 2}}
    assert answer.headers["cache-control"] == "private, no-cache"


def test_me_without_tasks_is_somebody(alice: User) -> None:
    assert alice.get("/me").json == {"user_id": alice.sub, "counts": {"open": 0, "completed": 0}}


@pytest.mark.parametrize(("query", "media_type"), FORMS.items())
def test_export_is_a_file_that_nobody_stores(alice: User, query: str, media_type: str) -> None:
    alice.task()
    answer = alice.get(f"/me/export{query}")
    extension = query.partition("=")[2] or "json"
    assert answer.status == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(rf'attachment; filename="tasks-[0-9-]+\.{extension}"', answer.headers["content-disposition"])


@pytest.mark.parametrize("query", READERS)
def test_export_holds_the_callers_tasks_newest_first(alice: User, query: str) -> None:
    texts = ["milk", 'ü, and 🐘; "so"\nnext line\\', "bread"]
    for text in texts:
        alice.task(text)
    assert READERS[query](alice.get(f"/me/export{query}").body) == texts[::-1]


def test_export_has_the_tasks_as_the_list_has_them(alice: User) -> None:
    alice.task("a", completed=True, order=-3)
    alice.task("b")
    assert alice.get("/me/export").json["tasks"] == alice.get("/tasks").json["tasks"]


@pytest.mark.parametrize("query", READERS)
def test_export_of_nothing_is_a_file_too(alice: User, query: str) -> None:
    answer = alice.get(f"/me/export{query}")
    assert (answer.status, READERS[query](answer.body)) == (200, [])


@pytest.mark.parametrize("form", Form)
def test_export_is_what_the_command_writes(alice: User, form: Form, tmp_path_factory: pytest.TempPathFactory) -> None:
    if alice.transport.name == "django":
        pytest.skip("the command, over another connection, sees nothing of this test's transaction")
    alice.task("=1+1", completed=True)
    path = tmp_path_factory.mktemp("export") / "file"
    call_command("export_user", alice.sub, "--format", form, "--output", str(path))
    assert alice.get(f"/me/export?format={form}").body == path.read_bytes()


@pytest.mark.parametrize("query", ["?format=xml", "?format=", "?format=JSON", "?format=csv&format=csv", "?form=csv"])
def test_export_in_no_form_is_refused(alice: User, query: str) -> None:
    assert_error(alice.get(f"/me/export{query}"), 422, "form")


def test_head_of_an_export_is_its_head(alice: User) -> None:
    alice.task()
    got, asked = (alice.call(method, "/me/export?format=ics") for method in ("GET", "HEAD"))
    assert (asked.status, asked.body) == (200, b"")
    framing = {"transfer-encoding", "content-length"}
    assert set(asked.headers) - framing == set(got.headers) - framing


@pytest.fixture
def many(alice: User, monkeypatch: pytest.MonkeyPatch) -> User:
    """Somebody with more tasks than go into one statement, read or deleted in this process."""
    if alice.transport.name != "django":
        pytest.skip("the sizes are those of this process")
    monkeypatch.setattr(export, "BATCH", 3)
    monkeypatch.setattr(queries, "DELETED_AT_ONCE", 3)
    for number in range(7):
        alice.task(str(number))
    return alice


def test_export_goes_on_from_batch_to_batch(many: User) -> None:
    assert READERS[""](many.get("/me/export").body) == list("6543210")


def test_head_of_an_export_does_not_read_through(many: User) -> None:
    with CaptureQueriesContext(connection) as statements:
        many.call("HEAD", "/me/export")
    assert len(statements) == 1


def test_clearing_goes_on_from_batch_to_batch(many: User) -> None:
    for task in many.get("/tasks").json["tasks"][1:]:
        many.patch(f"/tasks/{task['id']}", {"completed": True})
    assert many.post("/tasks/clear-completed").json == {"deleted": 6}
    assert many.get("/me").json["counts"] == {"open": 1, "completed": 0}


def test_erase_goes_on_from_batch_to_batch(many: User) -> None:
    assert _erase(many, many.sub).status == 204
    assert many.get("/me").json["counts"] == {"open": 0, "completed": 0}


def test_erase_deletes_all_of_the_caller(alice: User) -> None:
    task = alice.task()
    alice.task(completed=True)
    answer = _erase(alice, alice.sub)
    assert (answer.status, answer.body) == (204, b"")
    assert alice.get("/me").json["counts"] == {"open": 0, "completed": 0}
    assert_error(alice.get(f"/tasks/{task['id']}"), 404)


def test_erase_of_nothing_succeeds(alice: User) -> None:
    assert [_erase(alice, alice.sub).status for _ in range(2)] == [204, 204]


def test_who_was_erased_can_begin_again(alice: User) -> None:
    alice.task()
    _erase(alice, alice.sub)
    again = alice.task("again")
    assert alice.get("/tasks").json["tasks"] == [again]


@pytest.mark.parametrize(
    "query", ["", "?confirm=", "?confirm=yes", "?confirm={sub}%20", "?confirm={sub}&confirm={sub}"]
)
def test_erase_without_the_callers_id_deletes_nothing(alice: User, query: str) -> None:
    task = alice.task()
    assert_error(alice.delete(f"/me{query.format(sub=alice.sub)}"), 422, "confirm: ")
    assert alice.get("/tasks").json["tasks"] == [task]
