"""Pages keep what they promise whoever writes meanwhile, and the list is what a copy of it in memory would be."""

import itertools
import uuid
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from config.postgresql.row_security import acting_as
from tasks import listing, memory, search
from tasks.models import Task
from tests.client import InProcess, Live, User

pytestmark = pytest.mark.django_db

SORTS = ["created_at", "-created_at", "updated_at", "-updated_at", "order", "-order"]
STEADY, RESTLESS = 60, 60


def _pages(user: User, **parameters: Any) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = user.get(f"/tasks?{urlencode(parameters | cursor)}")
        assert answer.status == 200, answer.body
        pages.append(answer.json)
        if answer.json["next_cursor"] is None:
            return pages
        cursor = {"cursor": answer.json["next_cursor"]}


def _write(user: User, seed: int, ids: list[str], enough: Event) -> None:
    """Create, change and delete tasks, other than the steady ones, until told that it is enough."""
    dice = Random(seed)  # noqa: S311 (nothing to guess here)
    while not enough.is_set():
        action = dice.randrange(3)
        if action == 0 or not ids:
            ids.append(user.task("restless", order=dice.randrange(-3, 4))["id"])
        elif action == 1:
            user.patch(f"/tasks/{dice.choice(ids)}", {"order": dice.randrange(-3, 4), "completed": dice.random() < 0.5})
        else:
            user.delete(f"/tasks/{ids.pop(dice.randrange(len(ids)))}")


def test_walks_among_writers_find_each_steady_task_once(gunicorn: Live) -> None:
    alice, enough = User(gunicorn, f"alice-{uuid.uuid4()}"), Event()
    steady = []
    restless: list[list[str]] = [[], [], []]
    for number in range(STEADY):
        steady.append(alice.task("steady", order=number % 5 - 2)["id"])
        restless[number % 3].append(alice.task("restless", order=number % 7 - 3)["id"])
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(_write, alice, seed, ids, enough) for seed, ids in enumerate(restless)]
        try:
            for sort, limit in itertools.product(SORTS, (3, 7)):
                found = [task["id"] for page in _pages(alice, sort=sort, limit=limit) for task in page["tasks"]]
                assert sorted(one for one in found if one in steady) == sorted(steady)
                if "created_at" in sort:
                    assert len(found) == len(set(found)), "a task keeps its place in this order"
        finally:
            enough.set()
    for writer in writers:
        writer.result()


TEXTS = st.text("aAbB \u00df\u1e9esS\u0130i\u03a3\u03c3\u03c2\u00e9\u00c9%_\\.*", min_size=1, max_size=6).filter(
    str.strip
)
ORDERS = st.sampled_from([-(2**31), -1, 0, 0, 0, 1, 2**31 - 1])


class Lists(RuleBasedStateMachine):
    """The list of one user, and a copy of it in memory."""

    ids = Bundle("ids")
    transport: Any

    @initialize()
    def begin(self) -> None:
        self.user = User(self.transport, f"alice-{uuid.uuid4()}")
        self.copy: dict[str, dict[str, Any]] = {}

    @rule(target=ids, text=TEXTS, order=ORDERS, completed=st.booleans())
    def create(self, text: str, order: int, *, completed: bool) -> str:
        task = self.user.task(text, order=order, completed=completed)
        self.copy[task["id"]] = task
        return str(task["id"])

    @rule(
        task_id=ids,
        changes=st.fixed_dictionaries({}, optional={"text": TEXTS, "order": ORDERS, "completed": st.booleans()}),
    )
    def change(self, task_id: str, changes: dict[str, Any]) -> None:
        self.copy[task_id] = self.user.patch(f"/tasks/{task_id}", changes).json

    @rule(task_id=consumes(ids))
    def remove(self, task_id: str) -> None:
        assert self.user.delete(f"/tasks/{task_id}").status == 204
        del self.copy[task_id]

    @rule(
        sort=st.sampled_from(SORTS),
        limit=st.integers(1, 4),
        completed=st.sampled_from([None, True, False]),
        q=st.none() | TEXTS,
        bound=st.none()
        | st.tuples(
            st.sampled_from(["created_at", "updated_at", "completed_at"]),
            st.sampled_from(["gte", "lt"]),
            st.integers(0, 9),
        ),
    )
    def walk(self, sort: str, limit: int, *, completed: bool | None, q: str | None, bound: Any) -> None:
        wanted, parameters = list(self.copy.values()), {"sort": sort, "limit": limit}
        if completed is not None:
            parameters["completed"] = str(completed).lower()
            wanted = [task for task in wanted if task["completed"] is completed]
        if q is not None:
            parameters["q"] = q
            wanted = [task for task in wanted if _has(task["text"], q)]
        if bound and self.copy:
            field, how, which = bound
            moments = sorted(task[field] or task["created_at"] for task in self.copy.values())
            moment = moments[which % len(moments)]
            parameters[f"{field}_{how}"] = moment
            wanted = [task for task in wanted if task[field] and (task[field] >= moment) is (how == "gte")]
        pages = _pages(self.user, **parameters)
        assert [task for page in pages for task in page["tasks"]] == _sorted(wanted, sort)
        assert {page["count"] for page in pages} == {len(wanted)}
        assert all(len(page["tasks"]) == limit for page in pages[:-1])

    @invariant()
    def whole_list_is_the_copy(self) -> None:
        tasks = _sorted(list(self.copy.values()), "-created_at")
        assert self.user.get("/tasks").json == {"tasks": tasks, "count": len(tasks), "next_cursor": None}


def _has(text: str, q: str) -> bool:
    return all(search.fold(word) in search.fold(text) for word in q.split())


def _sorted(tasks: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    field = sort.removeprefix("-")
    tasks = sorted(tasks, key=lambda task: (task["created_at"], task["id"]) if field == "order" else task["id"])
    if sort in {"order", "-created_at", "-updated_at"}:
        tasks.reverse()
    return sorted(tasks, key=lambda task: task[field], reverse=sort.startswith("-"))


def test_lists_are_what_a_copy_in_memory_is(django: InProcess) -> None:
    Lists.transport = django
    run_state_machine_as_test(Lists, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))


def _fill(user: User, number: int) -> None:
    with acting_as(str(user.sub)):
        Task.objects.bulk_create(Task(user_id=str(user.sub), text=f"task {one}") for one in range(number))


def test_list_without_a_limit_goes_on_after_ten_thousand(alice: User) -> None:
    _fill(alice, 10_001)
    first, last = _pages(alice)
    assert (len(first["tasks"]), first["count"]) == (10_000, 10_001)
    assert (len(last["tasks"]), last["count"]) == (1, 10_001)
    assert len({task["id"] for task in first["tasks"] + last["tasks"]}) == 10_001


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_count_is_right_after_every_change_whoever_answers(server: str, request: pytest.FixtureRequest) -> None:
    """Each process remembers what it counted."""
    alice = User(request.getfixturevalue(server), f"alice-{uuid.uuid4()}")
    ids = [alice.task()["id"] for _ in range(4)]
    changes: list[tuple[Callable[[], Any], int, int]] = [
        (lambda: alice.patch(f"/tasks/{ids[0]}", {"completed": True}), 4, 3),
        (lambda: alice.delete(f"/tasks/{ids[1]}"), 3, 2),
        (alice.task, 4, 3),
        (lambda: alice.delete(f"/tasks/{ids[0]}"), 3, 3),
    ]
    for change, tasks, still_open in changes:
        change()
        for _ in range(6):
            assert alice.get("/tasks?limit=1").json["count"] == tasks
            assert alice.get("/tasks?limit=1&completed=false").json["count"] == still_open


def test_count_that_is_known_is_not_counted_again(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_known", OrderedDict())
    for _ in range(2):
        alice.task()
    assert alice.get("/tasks?limit=1").json["count"] == 2
    for key, (until, found) in list(memory._known.items()):
        memory._known[key] = until, found._replace(value=99)
    assert alice.get("/tasks?limit=1").json["count"] == 99
    assert alice.get("/tasks?limit=1&completed=false").json["count"] == 2
    alice.task()
    assert alice.get("/tasks?limit=1").json["count"] == 3


def test_tag_of_a_list_that_is_known_takes_no_look_at_the_list(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.task()
    known = {"If-None-Match": alice.get("/tasks").headers["etag"]}
    assert alice.get("/tasks", headers=known).status == 304
    monkeypatch.setattr(listing, "read", None)
    assert alice.get("/tasks", headers=known).status == 304
