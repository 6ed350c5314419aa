"""The API beside a model of it in memory: whatever is done, in whatever order, both say the same."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.client import Answer, InProcess, User
from tests.shapes import assert_error

EXAMPLES, STEPS = 40, 60
DECIDED = ("text", "completed", "order")
UNKNOWN = '"0123456789abcdef"'

texts = st.sampled_from(["a", "b", "c"])
fields = {"completed": st.booleans(), "order": st.integers(-2, 2)}
new_tasks = st.fixed_dictionaries({"text": texts}, optional=fields)
replacements = st.fixed_dictionaries({"text": texts, "completed": st.booleans()}, optional={"order": fields["order"]})
changes = st.fixed_dictionaries({}, optional={"text": texts, **fields})
limits = st.sampled_from([1, 2, 3, 500])

Condition = Callable[[str, str], tuple[dict[str, str], bool, bool]]
# Of the task's tag and one that it had before: the headers, whether a write may be done, whether a read is 304.
CONDITIONS: dict[str, Condition] = {
    "none": lambda _tag, _before: ({}, True, False),
    "match": lambda tag, _: ({"If-Match": tag}, True, False),
    "match any": lambda _tag, _before: ({"If-Match": "*"}, True, False),
    "match one of": lambda tag, before: ({"If-Match": f"{before}, {tag}"}, True, False),
    "match weakly": lambda tag, _: ({"If-Match": f"W/{tag}"}, False, False),
    "match another": lambda tag, before: ({"If-Match": before}, before == tag, False),
    "none match": lambda tag, _: ({"If-None-Match": tag}, False, True),
    "none match weakly": lambda tag, _: ({"If-None-Match": f"{UNKNOWN},W/{tag}"}, False, True),
    "none match any": lambda _tag, _before: ({"If-None-Match": "*"}, False, True),
    "none match another": lambda tag, before: ({"If-None-Match": before}, before != tag, before == tag),
}
conditions = st.sampled_from(list(CONDITIONS.values()))


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.alice = User(InProcess(), f"alice-{uuid.uuid4()}")
        self.tasks: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[str]] = {}  # of each task that ever was, the latest last
        self.log: dict[str, int] = {}  # when each task last changed or was deleted
        self.clock = 0
        self.since = ""
        self.followed = 0  # up to where the copy knows the log
        self.copy: dict[str, dict[str, Any]] = {}

    def _note(self, task_id: str) -> None:
        self.clock += 1
        self.log[task_id] = self.clock

    def _took(self, answer: Answer, expected: dict[str, Any]) -> None:
        """The answer to a write: the task as it is now, moved on exactly if it changed."""
        task = answer.json
        before = self.tasks.get(task["id"])
        assert {name: task[name] for name in DECIDED} == expected
        changed = before is None or {name: before[name] for name in DECIDED} != expected
        known = self.tags.setdefault(task["id"], [])
        if changed:
            assert answer.headers["etag"] not in known
            known.append(answer.headers["etag"])
            self._note(task["id"])
        else:
            assert task == before
            assert answer.headers["etag"] == known[-1]
        self.tasks[task["id"]] = task

    def _one(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(list(self.tags)))

    def _condition(self, condition: Condition, task_id: str) -> tuple[dict[str, str], bool, bool]:
        tags = self.tags[task_id]
        return condition(tags[-1], tags[max(0, len(tags) - 2)])

    @rule(document=new_tasks)
    def create(self, document: dict[str, Any]) -> None:
        answer = self.alice.post("/tasks", document)
        assert answer.status == 201
        self._took(answer, {"completed": False, "order": 0} | document)

    @precondition(lambda self: self.tags)
    @rule(data=st.data(), document=replacements, condition=conditions)
    def replace(self, data: st.DataObject, document: dict[str, Any], condition: Condition) -> None:
        self._write("PUT", data, {"order": 0} | document, document, condition)

    @precondition(lambda self: self.tags)
    @rule(data=st.data(), document=changes, condition=conditions)
    def change(self, data: st.DataObject, document: dict[str, Any], condition: Condition) -> None:
        self._write("PATCH", data, document, document, condition)

    def _write(
        self, method: str, data: st.DataObject, values: dict[str, Any], document: Any, condition: Condition
    ) -> None:
        task_id = self._one(data)
        headers, allowed, _ = self._condition(condition, task_id)
        answer = self.alice.call(method, f"/tasks/{task_id}", document, headers=headers)
        if self._refused(answer, task_id, allowed=allowed):
            return
        assert answer.status == 200
        before = self.tasks[task_id]
        self._took(answer, {name: before[name] for name in DECIDED} | values)

    @precondition(lambda self: self.tags)
    @rule(data=st.data(), condition=conditions)
    def delete(self, data: st.DataObject, condition: Condition) -> None:
        task_id = self._one(data)
        headers, allowed, _ = self._condition(condition, task_id)
        answer = self.alice.delete(f"/tasks/{task_id}", headers=headers)
        if not self._refused(answer, task_id, allowed=allowed):
            assert answer.status == 204
            del self.tasks[task_id]
            self._note(task_id)

    def _refused(self, answer: Answer, task_id: str, *, allowed: bool) -> bool:
        if task_id not in self.tasks:
            assert_error(answer, 404)
        elif not allowed:
            assert_error(answer, 412)
        return task_id not in self.tasks or not allowed

    @precondition(lambda self: self.tags)
    @rule(data=st.data(), condition=conditions)
    def read(self, data: st.DataObject, condition: Condition) -> None:
        task_id = self._one(data)
        headers, allowed, known = self._condition(condition, task_id)
        answer = self.alice.get(f"/tasks/{task_id}", headers=headers)
        if task_id not in self.tasks:
            assert_error(answer, 404)
            return
        if known:
            assert (answer.status, answer.body) == (304, b"")
        elif not allowed:
            assert_error(answer, 412)
            return
        else:
            assert answer.json == self.tasks[task_id]
        assert answer.headers["etag"] == self.tags[task_id][-1]

    @rule(limit=limits)
    def poll(self, limit: int) -> None:
        waiting = sorted((at, task_id) for task_id, at in self.log.items() if at > self.followed)
        feed = self.alice.get(f"/tasks/changes?limit={limit}{self.since and f'&since={self.since}'}").json
        shown = [change.get("id") or change["task"]["id"] for change in feed["changes"]]
        assert shown == [task_id for _, task_id in waiting[:limit]]
        assert feed["has_more"] is (len(waiting) > limit)
        for change in feed["changes"]:
            if change["type"] == "upsert":
                self.copy[change["task"]["id"]] = change["task"]
            else:
                self.copy.pop(change["id"], None)
        self.since = feed["next_since"]
        self.followed = max([self.followed, *(at for at, _ in waiting[:limit])])
        if not feed["has_more"]:
            assert self.copy == self.tasks

    @rule()
    def start_again(self) -> None:
        self.since, self.followed, self.copy = "", 0, {}

    @rule()
    def list(self) -> None:
        listed = self.alice.get("/tasks").json["tasks"]
        assert {task["id"]: task for task in listed} == self.tasks

    def teardown(self) -> None:
        self.poll(500)


@pytest.mark.usefixtures("django")
def test_api_and_model_agree() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
