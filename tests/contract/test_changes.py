"""The feed of changes: what a copy has to know, once, in order."""

from typing import Any

import pytest

from tests.client import User
from tests.shapes import TIMESTAMP, assert_error, assert_task


def _feed(user: User, since: str | None = None, **query: Any) -> Any:
    parameters = {"since": since, **query} if since else query
    answer = user.get("/tasks/changes?" + "&".join(f"{name}={value}" for name, value in parameters.items()))
    assert answer.status == 200, answer.body
    return answer.json


def _path(task: dict[str, Any]) -> str:
    return f"/tasks/{task['id']}"


def test_nothing_has_changed_for_who_has_nothing(alice: User) -> None:
    feed = _feed(alice)
    assert (feed["changes"], feed["has_more"]) == ([], False)
    assert _feed(alice, feed["next_since"])["changes"] == []


def test_start_has_every_task_as_it_is_in_the_order_of_its_last_change(alice: User) -> None:
    first, second, third = (alice.task(text) for text in ("first", "second", "third"))
    changed = alice.patch(_path(first), {"completed": True}).json
    assert _feed(alice)["changes"] == [{"type": "upsert", "task": task} for task in (second, third, changed)]
    for change in _feed(alice)["changes"]:
        assert_task(change["task"])


def test_deletion_comes_instead_of_the_task(alice: User) -> None:
    task = alice.task()
    since = _feed(alice)["next_since"]
    alice.delete(_path(task))
    for feed in (_feed(alice), _feed(alice, since)):
        (change,) = feed["changes"]
        assert (change["type"], change["id"]) == ("delete", task["id"])
        assert set(change) == {"type", "id", "deleted_at"}
        assert TIMESTAMP.fullmatch(change["deleted_at"])


def test_only_what_came_later_is_sent(alice: User) -> None:
    alice.task("before")
    since = _feed(alice)["next_since"]
    later = alice.task("later")
    assert _feed(alice, since)["changes"] == [{"type": "upsert", "task": later}]


def test_same_token_has_the_same_changes_again(alice: User) -> None:
    alice.task()
    since = _feed(alice)["next_since"]
    alice.task()
    assert _feed(alice, since)["changes"] == _feed(alice, since)["changes"] != []


def test_many_changes_of_a_task_are_one(alice: User) -> None:
    task = alice.task()
    since = _feed(alice)["next_since"]
    for text in ("a", "b", "c"):
        alice.patch(_path(task), {"text": text})
    (change,) = _feed(alice, since)["changes"]
    assert change["task"]["text"] == "c"


def test_no_change_is_none(alice: User) -> None:
    task = alice.task()
    since = _feed(alice)["next_since"]
    for document in ({}, {"text": task["text"]}):
        alice.patch(_path(task), document)
    alice.delete(_path({"id": "01938f3a-1234-7000-8000-000000000001"}))
    assert _feed(alice, since)["changes"] == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_limited_answers_together_are_the_unlimited_one(limit: int, alice: User) -> None:
    for task in [alice.task(f"task {number}") for number in range(7)][::3]:
        alice.delete(_path(task))
    whole, walked, since = _feed(alice), [], None
    while True:
        feed = _feed(alice, since, limit=limit)
        assert len(feed["changes"]) == limit or not feed["has_more"]
        walked += feed["changes"]
        since = feed["next_since"]
        if not feed["has_more"]:
            break
    assert walked == whole["changes"]
    assert len(walked) == 7


def test_others_changes_are_not_sent(alice: User, bob: User) -> None:
    alice.delete(_path(alice.task()))
    alice.task()
    assert _feed(bob)["changes"] == []


def test_token_is_its_users_alone(alice: User, bob: User) -> None:
    assert_error(bob.get(f"/tasks/changes?since={_feed(alice)['next_since']}"), 422, "since: ")


@pytest.mark.parametrize("forge", ["{}x", "x{}", "{0[0]}", "WzAsOTk5OTk5OTk5OTld.{0}", "", "0", "%00", "é", "a" * 300])
def test_forged_token_is_refused(forge: str, alice: User) -> None:
    alice.task()
    token = forge.format(_feed(alice)["next_since"])
    assert_error(alice.get(f"/tasks/changes?since={token}"), 422, "since: ")


def test_token_with_a_changed_character_is_refused(alice: User) -> None:
    token = _feed(alice)["next_since"]
    for place in range(0, len(token), 5):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert alice.get(f"/tasks/changes?since={changed}").status == 422


@pytest.mark.parametrize("limit", ["0", "501", "-1", "a", "", "1.0", "+1", "%201", "1_0"])
def test_bad_limit_is_refused(limit: str, alice: User) -> None:
    assert_error(alice.get(f"/tasks/changes?limit={limit}"), 422, "limit: ")


@pytest.mark.parametrize("query", ["sinc=a", "limit=1&limit=2", "cursor=a"])
def test_unknown_and_repeated_parameters_are_refused(query: str, alice: User) -> None:
    assert_error(alice.get(f"/tasks/changes?{query}"), 422)
