"""Conditional requests, as RFC 9110, section 13, has them: of a task, and of a list."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.client import Answer, User
from tests.shapes import assert_error

CHANGE = {"text": "Changed"}
REPLACEMENT = {"text": "Changed", "completed": True}
WRITES: dict[str, Any] = {"PUT": REPLACEMENT, "PATCH": CHANGE, "DELETE": None}
OTHER = '"0123456789abcdef"'
MALFORMED = ["abc", '"abc', "w/{}", 'W/ "a"', "*, {}", "{} {}", "'a'", '"a b"', ",", ""]

on_each_write = pytest.mark.parametrize("method", WRITES)
on_each_statement = pytest.mark.parametrize("method", ["PATCH", "DELETE"])  # PUT's is PATCH's


def _made(user: User) -> tuple[str, str]:
    """A new task's path and entity tag."""
    answer = user.post("/tasks", {"text": "Buy groceries"})
    return answer.headers["location"], answer.headers["etag"]


def _write(user: User, method: str, path: str, **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return user.call(method, path, WRITES[method], headers=sent)


def test_every_answer_with_a_task_has_its_strong_tag(alice: User) -> None:
    path, tag = _made(alice)
    assert re.fullmatch('"[0-9a-f]{16}"', tag)
    assert alice.get(path).headers["etag"] == alice.call("HEAD", path).headers["etag"] == tag
    changed = alice.patch(path, CHANGE).headers["etag"]
    replaced = alice.put(path, REPLACEMENT).headers["etag"]
    assert len({tag, changed, replaced}) == 3
    assert alice.get(path).headers["etag"] == replaced


def test_tag_stays_when_nothing_changes(alice: User) -> None:
    path, tag = _made(alice)
    for document in ({}, {"text": "Buy groceries"}, {"completed": False, "order": 0}):
        assert alice.patch(path, document).headers["etag"] == tag


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("sent", ["{}", "W/{}", "*", f"{OTHER}, {{}}", f"W/{OTHER} ,, {{}},"])
def test_known_task_is_not_sent_again(method: str, sent: str, alice: User) -> None:
    path, tag = _made(alice)
    answer = alice.call(method, path, headers={"If-None-Match": sent.format(tag)})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == tag
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("sent", [OTHER, f"W/{OTHER}", '"*"', '""'])
def test_changed_task_is_sent(sent: str, alice: User) -> None:
    path, tag = _made(alice)
    answer = alice.get(path, headers={"If-None-Match": sent})
    assert (answer.status, answer.headers["etag"]) == (200, tag)
    assert answer.json["text"] == "Buy groceries"


@on_each_statement
@pytest.mark.parametrize("sent", ["{}", "*", f"{OTHER}, {{}}", f"W/{OTHER},{{}}"])
def test_write_to_the_expected_task_is_done(method: str, sent: str, alice: User) -> None:
    path, tag = _made(alice)
    assert _write(alice, method, path, If_Match=sent.format(tag)).status in {200, 204}
    assert alice.get(path, headers={"If-None-Match": tag}).status in {200, 404}


@on_each_statement
@pytest.mark.parametrize("sent", [OTHER, "W/{}", f"{OTHER}, W/{{}}", '"*"', '""'])
def test_write_to_another_version_is_refused(method: str, sent: str, alice: User) -> None:
    path, tag = _made(alice)
    assert_error(_write(alice, method, path, If_Match=sent.format(tag)), 412)
    assert alice.get(path).headers["etag"] == tag


@on_each_statement
@pytest.mark.parametrize("sent", ["{}", "W/{}", "*", f"{OTHER}, {{}}"])
def test_write_unless_it_is_this_version_is_refused(method: str, sent: str, alice: User) -> None:
    path, tag = _made(alice)
    assert_error(_write(alice, method, path, If_None_Match=sent.format(tag)), 412)
    assert alice.get(path).headers["etag"] == tag


@on_each_write
def test_write_unless_it_is_another_version_is_done(method: str, alice: User) -> None:
    path, _ = _made(alice)
    assert _write(alice, method, path, If_None_Match=OTHER).status in {200, 204}


@on_each_write
def test_both_conditions_have_to_hold(method: str, alice: User) -> None:
    path, tag = _made(alice)
    assert_error(_write(alice, method, path, If_Match=tag, If_None_Match=tag), 412)
    assert _write(alice, method, path, If_Match=tag, If_None_Match=OTHER).status in {200, 204}


@on_each_statement
@pytest.mark.parametrize("header", ["If_Match", "If_None_Match"])
@pytest.mark.parametrize("sent", [OTHER, "*"])
def test_missing_task_is_missing_whatever_the_condition(
    method: str, header: str, sent: str, alice: User, bob: User
) -> None:
    path, tag = _made(alice)
    assert_error(_write(bob, method, path, **{header: sent}), 404)
    assert_error(_write(bob, method, path, **{header: tag}), 404)


def test_second_writer_with_the_same_tag_loses(alice: User) -> None:
    path, tag = _made(alice)
    assert alice.patch(path, {"text": "first"}, headers={"If-Match": tag}).status == 200
    assert_error(alice.patch(path, {"text": "second"}, headers={"If-Match": tag}), 412)
    assert alice.get(path).json["text"] == "first"


def test_change_of_nothing_is_conditional_too(alice: User) -> None:
    path, tag = _made(alice)
    assert alice.patch(path, {}, headers={"If-Match": tag}).status == 200
    assert_error(alice.patch(path, {}, headers={"If-Match": OTHER}), 412)
    assert_error(alice.patch(path, {}, headers={"If-None-Match": "*"}), 412)


def test_read_may_ask_for_a_version(alice: User) -> None:
    path, tag = _made(alice)
    assert alice.get(path, headers={"If-Match": tag}).status == 200
    assert_error(alice.get(path, headers={"If-Match": OTHER, "If-None-Match": tag}), 412)


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize(
    ("method", "sent"), [*(("PATCH", sent) for sent in MALFORMED), *((method, "abc") for method in ("GET", *WRITES))]
)
def test_malformed_condition_is_refused(method: str, header: str, sent: str, alice: User) -> None:
    """Taken for one that is not met, it would hide the mistake; taken for none, it would undo the other's change."""
    path, tag = _made(alice)
    answer = alice.call(method, path, WRITES.get(method), headers={header: sent.format(tag, tag)})
    assert_error(answer, 422, f"{header}: must be * or a list")
    assert alice.get(path).headers["etag"] == tag


def test_same_content_of_two_tasks_has_two_tags(alice: User) -> None:
    assert _made(alice)[1] != _made(alice)[1]


# Lists


def _again(user: User, path: str, tag: str) -> int:
    return user.get(path, headers={"If-None-Match": tag}).status


@pytest.mark.parametrize("query", ["", "?limit=1", "?completed=false&sort=order", "?q=nothing"])
def test_list_that_has_not_changed_is_not_sent_again(alice: User, query: str) -> None:
    for number in range(2):
        alice.task(f"task {number}")
    path = f"/tasks{query}"
    tag = alice.get(path).headers["etag"]
    assert re.fullmatch('W/"[0-9a-f]{16}"', tag)
    answer = alice.get(path, headers={"If-None-Match": f'"another", {tag}'})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert answer.headers["cache-control"] == alice.get(path).headers["cache-control"]


CHANGES: dict[str, Callable[[User, str], object]] = {
    "create": lambda alice, _: alice.task(),
    "change": lambda alice, path: alice.patch(path, {"text": "b"}),
    "delete": lambda alice, path: alice.delete(path),
}


@pytest.mark.parametrize("change", CHANGES)
def test_list_is_sent_again_after_a_change(alice: User, bob: User, change: str) -> None:
    path = f"/tasks/{alice.task()['id']}"
    alice.task("another")
    tag = alice.get("/tasks").headers["etag"]
    bob.task()
    assert _again(alice, "/tasks", tag) == 304
    CHANGES[change](alice, path)
    answer = alice.get("/tasks", headers={"If-None-Match": tag})
    assert answer.status == 200
    assert answer.headers["etag"] != tag


def test_tag_is_of_one_list_of_one_user(alice: User, bob: User) -> None:
    for user in (alice, alice, alice, bob):
        user.task()
    tag = alice.get("/tasks?limit=1").headers["etag"]
    assert _again(alice, "/tasks?limit=1", tag) == 304
    assert {_again(alice, path, tag) for path in ("/tasks", "/tasks?limit=2", "/tasks?limit=1&q=a")} == {200}
    assert _again(bob, "/tasks?limit=1", tag) == 200
