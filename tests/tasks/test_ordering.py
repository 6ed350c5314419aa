"""Moved tasks stand where they should, all others as they did, and as few rows are written as there can be."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from random import Random
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import ordering
from tests.client import InProcess, Live, User
from tests.shapes import assert_error

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

SIDES = ["after", "before", "first", "last"]
LEAST, MOST = -3, 3
MOVERS = 8

Task = dict[str, Any]
Moves = list[tuple[int, str, int]]


def _with_tasks(orders: list[int]) -> User:
    alice = User(InProcess(), f"alice-{uuid.uuid4()}")
    creations = [{"op": "create", "task": {"text": f"{order}", "order": order}} for order in orders]
    assert alice.post("/tasks/batch", {"operations": creations}).status == 200
    return alice


def _in_order(user: User) -> list[Task]:
    """By the two keys that the document names, sorted here."""
    newest_first: list[Task] = user.get("/tasks").json["tasks"]
    return sorted(newest_first, key=lambda task: task["order"])


def _moved(tasks: list[Task], task: Task, side: str, neighbour: Task) -> list[Task]:
    others = [other for other in tasks if other is not task]
    index = {"first": 0, "last": len(others)}.get(side)
    if index is None:
        index = others.index(neighbour) + (side == "after")
    return [*others[:index], task, *others[index:]]


def _place(side: str, neighbour: Task) -> dict[str, str]:
    return {"to": side} if side in ("first", "last") else {side: neighbour["id"]}


def _fewest_changes(tasks: list[Task], least: int, most: int) -> float:
    """How many tasks need another `order`, at least, to stand like this: tried with all numbers there are."""
    numbers = range(least, most + 1)
    costs = {number: float(number != tasks[0]["order"]) for number in numbers}
    for before, task in pairwise(tasks):
        may_share = (before["created_at"], before["id"]) > (task["created_at"], task["id"])
        costs = {
            number: (number != task["order"])
            + min((costs[lower] for lower in numbers if lower < number + may_share), default=float("inf"))
            for number in numbers
        }
    return min(costs.values())


@st.composite
def _lists_and_moves(draw: st.DrawFn, orders: st.SearchStrategy[int], most: int) -> tuple[list[int], Moves]:
    numbers = draw(st.lists(orders, min_size=1, max_size=most))
    places = st.integers(0, len(numbers) - 1)
    moves = st.tuples(places, st.sampled_from(SIDES), places)
    possible = moves.filter(lambda move: move[1] in ("first", "last") or move[0] != move[2])
    return numbers, draw(st.lists(possible, max_size=6))


@hypothesis.settings(
    deadline=None, max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(given=_lists_and_moves(st.integers(LEAST, MOST), 9), reach=st.sampled_from([1, 3, 1000]))
def test_move_writes_the_fewest_rows(
    given: tuple[list[int], Moves], reach: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "REACH", reach)
    monkeypatch.setattr(ordering, "ORDER_MIN", LEAST)
    monkeypatch.setattr(ordering, "ORDER_MAX", MOST)
    orders, moves = given
    alice = _with_tasks(orders)
    since = alice.get("/tasks/changes").json["next_since"]
    for moved, side, neighbour in moves:
        tasks = _in_order(alice)
        wanted = _moved(tasks, tasks[moved], side, tasks[neighbour])
        fewest = _fewest_changes(wanted, LEAST, MOST)
        answer = alice.post(f"/tasks/{tasks[moved]['id']}/move", _place(side, tasks[neighbour]))
        feed = alice.get(f"/tasks/changes?since={since}").json
        since = feed["next_since"]
        if fewest == float("inf"):
            assert (answer.status, feed["changes"]) == (409, [])
            return
        after = _in_order(alice)
        assert [task["id"] for task in after] == [task["id"] for task in wanted]
        assert all(LEAST <= task["order"] <= MOST for task in after)
        assert len(feed["changes"]) == fewest
        assert answer.json in after
        assert answer.headers["etag"] == alice.get(f"/tasks/{tasks[moved]['id']}").headers["etag"]


def test_move_where_every_number_is_taken_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "ORDER_MIN", 0)
    monkeypatch.setattr(ordering, "ORDER_MAX", 0)
    alice = _with_tasks([0, 0])
    tasks = _in_order(alice)
    assert_error(alice.post(f"/tasks/{tasks[1]['id']}/move", {"to": "first"}), 409)
    assert _in_order(alice) == tasks


NEAR_THE_BOUNDS = st.integers(-2, 2) | st.integers(2**31 - 3, 2**31 - 1) | st.integers(-(2**31), 2 - 2**31)


@hypothesis.settings(deadline=None, max_examples=40)
@given(given=_lists_and_moves(NEAR_THE_BOUNDS, 12))
def test_move_works_up_to_the_bounds(given: tuple[list[int], Moves]) -> None:
    orders, moves = given
    alice = _with_tasks(orders)
    for moved, side, neighbour in moves:
        tasks = _in_order(alice)
        wanted = _moved(tasks, tasks[moved], side, tasks[neighbour])
        assert alice.post(f"/tasks/{tasks[moved]['id']}/move", _place(side, tasks[neighbour])).status == 200
        assert [task["id"] for task in _in_order(alice)] == [task["id"] for task in wanted]


def test_many_moves_among_tasks_of_one_number_write_few_rows_each() -> None:
    """A run that makes room makes some to spare, so the next moves find it."""
    alice, dice = _with_tasks([0] * 100), Random(8)  # noqa: S311 (dice)
    since = alice.get("/tasks/changes").json["next_since"]
    written = 0
    for _ in range(100):
        tasks = _in_order(alice)
        task, neighbour = dice.sample(tasks, 2)
        assert alice.post(f"/tasks/{task['id']}/move", {"after": neighbour["id"]}).status == 200
        feed = alice.get(f"/tasks/changes?since={since}").json
        since, written = feed["next_since"], written + len(feed["changes"])
    assert written < 100 * 8, "and not a quarter of all tasks, each time"


def test_moves_to_the_same_place_find_room_by_themselves() -> None:
    alice = _with_tasks([0, *[5000] * 9])
    first, _, *others = _in_order(alice)
    since = alice.get("/tasks/changes").json["next_since"]
    for task in others:
        moved = alice.post(f"/tasks/{task['id']}/move", {"after": first["id"]}).json
        feed = alice.get(f"/tasks/changes?since={since}").json
        since = feed["next_since"]
        assert feed["changes"] == [{"type": "upsert", "task": moved}]


def test_concurrent_movers_lose_nothing_and_keep_the_others_in_order(gunicorn: Live) -> None:
    alice = User(gunicorn, f"alice-{uuid.uuid4()}")
    tasks = [alice.task(f"{number}") for number in range(40)]
    before = [task["id"] for task in _in_order(alice)]
    movable, still = before[::5], [name for index, name in enumerate(before) if index % 5]

    def mover(number: int) -> None:
        dice, name = Random(number), movable[number]  # noqa: S311 (dice)
        for _ in range(12):
            side, neighbour = dice.choice(SIDES), dice.choice([other for other in before if other != name])
            place = {"to": side} if side in ("first", "last") else {side: neighbour}
            answer = alice.post(f"/tasks/{name}/move", place)
            assert (answer.status, answer.json["id"]) == (200, name)

    with ThreadPoolExecutor(MOVERS) as pool:
        list(pool.map(mover, range(MOVERS)))
    after = [task["id"] for task in _in_order(alice)]
    assert sorted(after) == sorted(task["id"] for task in tasks)
    assert [name for name in after if name in set(still)] == still


def test_each_of_concurrent_movers_stands_beside_its_neighbour(gunicorn: Live) -> None:
    """Each has a neighbour that nobody else moves, or puts anything beside."""
    alice = User(gunicorn, f"alice-{uuid.uuid4()}")
    for number in range(3 * MOVERS):
        alice.task(f"{number}")
    names = [task["id"] for task in _in_order(alice)]
    movers, neighbours = names[:MOVERS], names[MOVERS::2]
    with ThreadPoolExecutor(MOVERS) as pool:
        pairs = list(zip(movers, reversed(neighbours), strict=True))
        answers = list(pool.map(lambda pair: alice.post(f"/tasks/{pair[0]}/move", {"after": pair[1]}), pairs))
    assert {answer.status for answer in answers} == {200}
    following = dict(pairwise(task["id"] for task in _in_order(alice)))
    assert [following[neighbour] for _, neighbour in pairs] == [name for name, _ in pairs]
