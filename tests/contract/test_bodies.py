"""Request bodies: what is taken, what is refused, and with what status."""

import json

import pytest

from tasks.schemas import SERVER_FIELDS
from tests.client import User
from tests.shapes import assert_error, assert_task

JSON = {"Content-Type": "application/json"}

REFUSED_VALUES = [
    pytest.param({"text": ""}, "text: ", id="text empty"),
    pytest.param({"text": " \t\n"}, "text: ", id="text blank"),
    pytest.param({"text": "\u3000\u00a0\u2003"}, "text: ", id="text blank in Unicode"),
    pytest.param({"text": "a" * 501}, "text: ", id="text of 501"),
    pytest.param({"text": "a\x00b"}, "text: ", id="text with NUL"),
    pytest.param({"text": "\ud800"}, "text: ", id="text a lone surrogate"),
    pytest.param({"text": None}, "text: ", id="text null"),
    pytest.param({"text": 5}, "text: ", id="text a number"),
    pytest.param({"text": ["a"]}, "text: ", id="text a list"),
    pytest.param({"text": "a", "completed": None}, "completed: ", id="completed null"),
    pytest.param({"text": "a", "completed": "true"}, "completed: ", id="completed a string"),
    pytest.param({"text": "a", "completed": 1}, "completed: ", id="completed a number"),
    pytest.param({"text": "a", "order": None}, "order: ", id="order null"),
    pytest.param({"text": "a", "order": "1"}, "order: ", id="order a string"),
    pytest.param({"text": "a", "order": True}, "order: ", id="order a boolean"),
    pytest.param({"text": "a", "order": 1.5}, "order: ", id="order a fraction"),
    pytest.param({"text": "a", "order": 2**31}, "order: ", id="order too large"),
    pytest.param({"text": "a", "order": -(2**31) - 1}, "order: ", id="order too small"),
    pytest.param({"text": "a", "order": 10**30}, "order: ", id="order huge"),
    pytest.param({"text": "a", "title": "b"}, "title: ", id="unknown field"),
    pytest.param({"text": "a", "Text": "b"}, "Text: ", id="unknown by case"),
]


@pytest.mark.parametrize(("document", "mentioned"), REFUSED_VALUES)
def test_create_refuses(alice: User, document: dict[str, object], mentioned: str) -> None:
    assert_error(alice.post("/tasks", document), 422, mentioned)
    assert alice.get("/tasks").json["count"] == 0


@pytest.mark.parametrize(("document", "mentioned"), REFUSED_VALUES[::3])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_update_refuses(alice: User, method: str, document: dict[str, object], mentioned: str) -> None:
    task = alice.task()
    answer = alice.call(method, f"/tasks/{task['id']}", {"text": "a", "completed": True} | document)
    assert_error(answer, 422, mentioned)
    assert alice.get(f"/tasks/{task['id']}").json == task


def test_create_requires_text(alice: User) -> None:
    assert_error(alice.post("/tasks", {}), 422, "text: ")


@pytest.mark.parametrize("order", [2**31 - 1, -(2**31), 0, 3.0])
def test_order_takes_all_integers_of_32_bits(alice: User, order: float) -> None:
    assert alice.task(order=order)["order"] == order


@pytest.mark.parametrize("value", ["01938f3a-1234-7000-8000-000000000001", None, 5, {"a": []}])
def test_server_fields_are_ignored(alice: User, value: object) -> None:
    task = alice.post("/tasks", {"text": "a", **dict.fromkeys(SERVER_FIELDS, value)}).json
    assert_task(task)
    assert (task["user_id"], task["completed_at"]) == (alice.sub, None)
    assert value not in (task["id"], task["created_at"], task["updated_at"])


def test_numbers_in_ignored_fields_may_be_of_any_size(alice: User) -> None:
    content = b'{"text": "a", "id": ' + b"9" * 5000 + b', "created_at": 1e999}'
    assert alice.post("/tasks", content=content, headers=JSON).status == 201


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="cut off"),
        pytest.param(b"{'text': 'a'}", id="single quotes"),
        pytest.param(b'{"text": "a",}', id="trailing comma"),
        pytest.param(b'{"text": "a"} x', id="trailing garbage"),
        pytest.param(b'{"text": "a\n"}', id="raw line feed"),
        pytest.param('{"text": "é"}'.encode("latin-1"), id="not UTF-8"),
        pytest.param('{"text": "a"}'.encode("utf-16"), id="UTF-16"),
        pytest.param('\ufeff{"text": "a"}'.encode(), id="byte order mark"),
        pytest.param(b'{"text": "\\x"}', id="bad escape"),
        pytest.param(b"[" * 20_000, id="nested deeply"),
        pytest.param(b'{"a":' * 10_000, id="objects nested deeply"),
        pytest.param(b"text=a", id="a form"),
        pytest.param(b" ", id="blank"),
    ],
)
def test_malformed_json_is_a_bad_request(alice: User, content: bytes) -> None:
    assert_error(alice.post("/tasks", content=content, headers=JSON), 400)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'"AAA"', id="string"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'[{"text": "a"}]', id="list of objects"),
        pytest.param(b"5", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"true", id="boolean"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"text": "a", "text": "b"}', id="repeated name"),
        pytest.param(b'{"text": "a", "id": {"x": 1, "x": 2}}', id="repeated name inside"),
        pytest.param(b'{"text": "a", "order": NaN}', id="NaN"),
        pytest.param(b'{"text": "a", "order": Infinity}', id="Infinity"),
        pytest.param(b'{"text": "a", "order": -Infinity}', id="-Infinity"),
        pytest.param(b'{"text": "a", "order": 1e999}', id="float overflow"),
        pytest.param(b'{"text": "a", "order": ' + b"9" * 5000 + b"}", id="integer of 5000 digits"),
        pytest.param(b'{"text": "a", "\\ud800": 1}', id="surrogate in a name"),
        pytest.param(b'{"text": "a", "' + b"n" * 5000 + b'": 1}', id="long name"),
    ],
)
def test_json_that_says_no_task_is_refused(alice: User, content: bytes) -> None:
    answer = alice.post("/tasks", content=content, headers=JSON)
    assert_error(answer, 422)
    assert len(answer.body) < 1000
    assert alice.get("/tasks").json["count"] == 0


@pytest.mark.parametrize(
    ("method", "media_type"),
    [
        ("POST", "text/plain"),
        ("PUT", "text/plain"),
        ("PATCH", "text/plain"),
        ("POST", "application/x-www-form-urlencoded"),
        ("POST", "multipart/form-data; boundary=x"),
        ("POST", "application/json-patch+json"),
        ("PATCH", "application/merge-patch+json"),
        ("POST", "application/vnd.api+json"),
        ("POST", "text/json"),
        ("POST", "application/json; charset=latin-1"),
        ("POST", "json"),
        ("POST", ""),
    ],
)
def test_body_of_another_media_type_is_refused(alice: User, method: str, media_type: str) -> None:
    path = "/tasks" if method == "POST" else f"/tasks/{alice.task()['id']}"
    content = json.dumps({"text": "a", "completed": True}).encode()
    headers = {"Content-Type": media_type} if media_type else {}
    assert_error(alice.call(method, path, content=content, headers=headers), 415)


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
def test_json_is_taken_by_any_of_its_names(alice: User, media_type: str) -> None:
    answer = alice.post("/tasks", content=b'{"text": "a"}', headers={"Content-Type": media_type})
    assert answer.status == 201


def test_body_of_the_largest_size_is_read(alice: User) -> None:
    content = b'{"text": "a"}'.ljust(65536)
    assert alice.post("/tasks", content=content, headers=JSON).status == 201


@pytest.mark.parametrize("size", [65537, 1_000_000])
def test_larger_body_is_refused(alice: User, size: int) -> None:
    content = b'{"text": "a"}'.ljust(size)
    assert_error(alice.post("/tasks", content=content, headers=JSON), 413)
    assert alice.get("/tasks").json["count"] == 0
