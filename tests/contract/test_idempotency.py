"""`Idempotency-Key`: a request that is sent again is done once."""

import uuid
from typing import Any

import httpx
import pytest

from tests.client import Answer, Live, User
from tests.tokens import token

VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))
GROCERIES = {"text": "Buy groceries", "order": 3}


@pytest.fixture
def key() -> str:
    return f'"{uuid.uuid4()}"'


def _create(user: User, key: str, document: object = None, content: bytes | None = None) -> Answer:
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    return user.post("/tasks", None if content else document or GROCERIES, content=content, headers=headers)


def _texts(user: User) -> list[str]:
    return [task["text"] for task in user.get("/tasks").json["tasks"]]


def _assert_replayed(again: Answer, first: Answer) -> None:
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    for name in ("location", "cache-control", "content-type"):
        assert again.headers[name] == first.headers[name]


def test_create_with_a_key_answers_as_without(alice: User, key: str) -> None:
    answer = _create(alice, key)
    assert answer.status == 201
    assert answer.headers["location"] == f"/tasks/{answer.json['id']}"
    assert answer.headers["content-type"] == "application/json"
    assert "idempotency-replayed" not in answer.headers
    assert alice.get(answer.headers["location"]).json == answer.json


def test_create_again_has_the_first_answer(alice: User, key: str) -> None:
    first = _create(alice, key)
    for _ in range(2):
        _assert_replayed(_create(alice, key), first)
    assert alice.get("/tasks").json["tasks"] == [first.json]


def test_create_with_another_key_creates_another(alice: User) -> None:
    assert _create(alice, "a").json["id"] != _create(alice, "b").json["id"]


def test_first_answer_outlives_its_task(alice: User, key: str) -> None:
    first = _create(alice, key)
    alice.patch(first.headers["location"], {"completed": True})
    _assert_replayed(_create(alice, key), first)
    alice.delete(first.headers["location"])
    _assert_replayed(_create(alice, key), first)
    assert _texts(alice) == []


@pytest.mark.parametrize("other", [GROCERIES | {"text": "Buy bread"}, GROCERIES | {"completed": False}])
def test_key_with_another_body_is_refused(alice: User, key: str, other: dict[str, object]) -> None:
    _create(alice, key)
    answer = _create(alice, key, other)
    assert (answer.status, answer.json["error"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert "idempotency-replayed" not in answer.headers
    assert _texts(alice) == ["Buy groceries"]


def test_key_with_another_path_is_refused(alice: User, key: str) -> None:
    first = _create(alice, key)
    for path in ("/tasks/clear-completed", "/tasks/batch", f"{first.headers['location']}/move"):
        document = {"operations": [{"op": "create", "task": GROCERIES}]} if path.endswith("batch") else {"to": "first"}
        answer = alice.post(path, document, headers={"Idempotency-Key": key})
        assert (answer.status, answer.json["error"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert _texts(alice) == ["Buy groceries"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'\n{ "text"  :\t"Buy groceries" ,\r\n "order": 3 }  ', id="white space"),
        pytest.param(b'{"order":3,"text":"Buy groceries"}', id="order of names"),
        pytest.param(b'{"text":"\\u0042uy groceries","order":3}', id="escapes"),
    ],
)
def test_same_values_in_other_words_are_the_same_body(alice: User, key: str, content: bytes) -> None:
    first = _create(alice, key)
    _assert_replayed(_create(alice, key, content=content), first)


def test_key_of_another_user_is_another_key(alice: User, bob: User, key: str) -> None:
    theirs = _create(alice, key)
    answer = _create(bob, key, {"text": "Mine"})
    assert (answer.status, answer.json["user_id"]) == (201, bob.sub)
    assert "idempotency-replayed" not in answer.headers
    _assert_replayed(_create(alice, key), theirs)
    assert _texts(bob) == ["Mine"]


@pytest.mark.parametrize(
    ("quoted", "bare"),
    [
        pytest.param('"abc"', "abc", id="plain"),
        pytest.param(r'"a\"b\\c"', r'a"b\c', id="escaped"),
        pytest.param('"a,b;c=d"', "a,b;c=d", id="punctuation"),
    ],
)
def test_key_is_the_same_quoted_and_bare(alice: User, quoted: str, bare: str) -> None:
    first = _create(alice, quoted)
    _assert_replayed(_create(alice, bare), first)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("x" * 255, id="longest"),
        pytest.param(f'"{"x" * 255}"', id="longest, quoted"),
        pytest.param('"' + r"\"" * 255 + '"', id="longest, escaped"),
        pytest.param("X", id="shortest"),
        pytest.param(f"x{VISIBLE}", id="all visible characters, not first a quotation mark"),
    ],
)
def test_key_is_any_visible_ascii(alice: User, sent: str) -> None:
    first = _create(alice, sent)
    assert first.status == 201
    _assert_replayed(_create(alice, sent), first)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("", id="empty"),
        pytest.param('""', id="empty string"),
        pytest.param('"', id="one quotation mark"),
        pytest.param('"abc', id="not closed"),
        pytest.param('abc"def" ghi', id="space"),
        pytest.param('"a b"', id="space in quotes"),
        pytest.param(r'"a\b"', id="escape of nothing"),
        pytest.param('"a"b"', id="quotation mark in quotes"),
        pytest.param('"abc";p=1', id="parameter"),
        pytest.param('"a","b"', id="list"),
        pytest.param("x" * 256, id="too long"),
        pytest.param(f'"{"x" * 256}"', id="too long, quoted"),
        pytest.param("caf\xe9", id="not ASCII"),
        pytest.param("a\tb", id="tab"),
        pytest.param("\xa0a", id="white space that HTTP does not know"),
    ],
)
def test_what_is_no_key_is_refused(alice: User, sent: str) -> None:
    on_the_wire: Any = sent if alice.transport.name == "django" else sent.encode("latin-1")
    answer = alice.post("/tasks", GROCERIES, headers={"Idempotency-Key": on_the_wire})
    assert (answer.status, answer.json["error"]) == (422, "VALIDATION_ERROR")
    assert answer.json["details"] == ["Idempotency-Key: must be one key of 1 to 255 visible ASCII characters"]
    assert _texts(alice) == []


def test_two_keys_are_refused(alice: User) -> None:
    """Joined, they would be a key with a comma in it."""
    if not isinstance(alice.transport, Live) or alice.transport.name == "granian":
        pytest.skip("a matter of the servers, of which granian shows the last header of a name only")
    sent = {"Authorization": f"Bearer {token(str(alice.sub))}"}
    keys = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    response = httpx.post(f"{alice.transport.base_url}/tasks", json=GROCERIES, headers=[*sent.items(), *keys])
    assert (response.status_code, response.json()["error"]) == (422, "VALIDATION_ERROR")


def test_failed_first_try_leaves_the_key_free(alice: User, key: str) -> None:
    assert _create(alice, key, {"text": " "}).status == 422
    assert _create(alice, key, content=b"{").status == 400
    answer = _create(alice, key)
    assert answer.status == 201
    assert "idempotency-replayed" not in answer.headers


def test_key_means_nothing_where_a_request_may_be_repeated_anyway(alice: User, key: str) -> None:
    path = f"/tasks/{alice.task()['id']}"
    for text in ("first", "second"):
        answer = alice.patch(path, {"text": text}, headers={"Idempotency-Key": key})
        assert (answer.status, answer.json["text"]) == (200, text)


def test_browsers_may_send_keys_and_see_replays(alice: User, key: str) -> None:
    origin = {"Origin": "http://localhost:3000"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}
    allowed = alice.call("OPTIONS", "/tasks", headers=origin | asked).headers["access-control-allow-headers"]
    assert "idempotency-key" in allowed.split(", ")
    answer = alice.post("/tasks", GROCERIES, headers=origin | {"Idempotency-Key": key})
    assert "Idempotency-Replayed" in answer.headers["access-control-expose-headers"].split(", ")
