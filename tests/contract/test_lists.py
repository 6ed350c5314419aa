"""Lists: page by page, filtered, sorted, searched."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.client import User
from tests.shapes import assert_error

SORTS = ["created_at", "-created_at", "updated_at", "-updated_at", "order", "-order"]
MOMENTS = [f"{field}_at_{bound}" for field in ("created", "updated", "completed") for bound in ("gte", "lt")]


def _list(user: User, **parameters: Any) -> Any:
    answer = user.get(f"/tasks?{urlencode(parameters)}")
    assert answer.status == 200, answer.body
    return answer.json


def _walk(user: User, **parameters: Any) -> list[Any]:
    """Follow the Link header from page to page."""
    found, path = [], f"/tasks?{urlencode(parameters)}"
    while path:
        answer = user.get(path)
        found += answer.json["tasks"]
        link = answer.headers.get("link", "")
        assert bool(link) is bool(answer.json["next_cursor"])
        path = link.removeprefix("<").removesuffix('>; rel="next"')
        assert path != link or not link
    return found


def _texts(listed: Any) -> set[str]:
    return {task["text"] for task in listed["tasks"]}


# Pages


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 500])
def test_pages_are_the_whole_list(alice: User, limit: int) -> None:
    tasks = [alice.task(f"task {number}") for number in range(4)][::-1]
    assert _walk(alice, limit=limit) == tasks == _list(alice)["tasks"]


def test_page_has_at_most_limit_tasks_and_counts_all(alice: User) -> None:
    tasks = [alice.task() for _ in range(3)][::-1]
    first = _list(alice, limit=2)
    assert (first["tasks"], first["count"]) == (tasks[:2], 3)
    last = _list(alice, limit=2, cursor=first["next_cursor"])
    assert last == {"tasks": tasks[2:], "count": 3, "next_cursor": None}


def test_last_page_that_is_full_has_no_next_one(alice: User) -> None:
    tasks = [alice.task() for _ in range(2)][::-1]
    answer = alice.get("/tasks?limit=2")
    assert answer.json == {"tasks": tasks, "count": 2, "next_cursor": None}
    assert "link" not in answer.headers


def test_link_leads_to_the_next_page_with_all_parameters(alice: User) -> None:
    for number in range(3):
        alice.task(f"50 % & \u00e9 {number}", order=number)
    parameters = {"q": "50 % & \u00c9", "sort": "order", "limit": 2, "completed": "false"}
    assert [task["order"] for task in _walk(alice, **parameters)] == [0, 1, 2]


def test_cursor_takes_another_limit(alice: User) -> None:
    tasks = [alice.task() for _ in range(4)][::-1]
    cursor = _list(alice, limit=1)["next_cursor"]
    assert _list(alice, limit=500, cursor=cursor)["tasks"] == tasks[1:]
    assert _list(alice, cursor=cursor)["tasks"] == tasks[1:]


def test_page_after_what_was_deleted_is_empty_and_still_counts(alice: User) -> None:
    tasks = [alice.task() for _ in range(3)]
    cursor = _list(alice, limit=2)["next_cursor"]
    alice.delete(f"/tasks/{tasks[0]['id']}")
    assert _list(alice, limit=2, cursor=cursor) == {"tasks": [], "count": 2, "next_cursor": None}


def test_pages_after_a_deleted_task_go_on(alice: User) -> None:
    tasks = [alice.task() for _ in range(3)]
    cursor = _list(alice, limit=1)["next_cursor"]
    alice.delete(f"/tasks/{tasks[2]['id']}")
    assert _list(alice, cursor=cursor)["tasks"] == [tasks[1], tasks[0]]


def test_cursor_of_another_user_is_refused(alice: User, bob: User) -> None:
    for user in (alice, bob):
        user.task()
        user.task()
    cursor = _list(alice, limit=1)["next_cursor"]
    assert_error(bob.get(f"/tasks?limit=1&cursor={cursor}"), 422, "cursor: ")


@pytest.mark.parametrize(
    "other", ["completed=false", "q=b", "q=a&completed=true", "sort=order", "created_at_gte=2020-01-01T00:00:00Z"]
)
def test_cursor_of_another_list_is_refused(alice: User, other: str) -> None:
    alice.task("ab")
    alice.task("ab")
    cursor = _list(alice, limit=1, q="a")["next_cursor"]
    assert_error(alice.get(f"/tasks?limit=1&cursor={cursor}&{other}"), 422, "cursor: ")


def test_cursor_without_the_sort_that_is_the_default_is_the_same(alice: User) -> None:
    alice.task()
    oldest = alice.task()
    cursor = _list(alice, limit=1, sort="-created_at")["next_cursor"]
    assert _list(alice, limit=1, cursor=cursor)["tasks"] != [oldest]


def test_broken_cursors_are_refused(alice: User) -> None:
    alice.task()
    alice.task()
    cursor = _list(alice, limit=1)["next_cursor"]
    other = "A" if cursor[-2] != "A" else "B"
    for broken in (
        cursor[:-1],
        cursor[1:],
        cursor[:-2] + other + cursor[-1],
        cursor[: cursor.index(".")],
        f"{cursor}A",
    ):
        assert_error(alice.get(f"/tasks?limit=1&cursor={broken}"), 422, "cursor: ")


@pytest.mark.parametrize("cursor", ["", "x", ".", "a.b", "%00", "null", "%ff", "W10.x", "x" * 501])
def test_forged_cursors_are_refused(alice: User, cursor: str) -> None:
    assert_error(alice.get(f"/tasks?cursor={cursor}"), 422, "cursor: ")


@pytest.mark.parametrize("limit", ["0", "501", "-1", "1.5", "1e2", "ten", "", "%2B5", "5%20", "\u0665", "9" * 5000])
def test_bad_limits_are_refused(alice: User, limit: str) -> None:
    assert_error(
        alice.get(f"/tasks?{urlencode({'limit': limit}) if not limit.isascii() else f'limit={limit}'}"), 422, "limit: "
    )


@pytest.mark.parametrize("name", ["limit", "cursor", "sort", "q", "completed", *MOMENTS])
def test_repeated_parameters_are_refused(alice: User, name: str) -> None:
    value = {"limit": "1", "sort": "order", "completed": "true", "cursor": "x", "q": "x"}.get(
        name, "2026-11-20T11:31:30Z"
    )
    assert_error(alice.get(f"/tasks?{name}={value}&{name}={value}"), 422, f"{name}: repeated")


# Sorts


@pytest.mark.parametrize("sort", SORTS)
def test_sorts_go_through_all_pages_with_ties(alice: User, sort: str) -> None:
    made = [alice.task(f"task {number}", order=order) for number, order in enumerate((0, 7, -(2**31), 0, 2**31 - 1, 0))]
    tasks = [alice.patch(f"/tasks/{task['id']}", {"text": "changed"}).json for task in made[1::2]] + made[::2]
    field = sort.removeprefix("-")
    expected = sorted(
        tasks, key=lambda task: (task["created_at"], task["id"]), reverse=sort in {"order", "-created_at"}
    )
    expected.sort(key=lambda task: task[field], reverse=sort.startswith("-"))
    assert _walk(alice, sort=sort, limit=2) == expected


@pytest.mark.parametrize("sort", ["", "text", "--order", "+order", "ORDER", "order,created_at", "completed_at"])
def test_unknown_sorts_are_refused(alice: User, sort: str) -> None:
    assert_error(alice.get(f"/tasks?{urlencode({'sort': sort})}"), 422, "sort: ")


# Filters


def test_completed_chooses(alice: User) -> None:
    done, still_open = alice.task(completed=True), alice.task()
    assert _list(alice, completed="true") == {"tasks": [done], "count": 1, "next_cursor": None}
    assert _list(alice, completed="false") == {"tasks": [still_open], "count": 1, "next_cursor": None}


@pytest.mark.parametrize("value", ["", "1", "True", "yes", "null", "true "])
def test_completed_is_true_or_false(alice: User, value: str) -> None:
    assert_error(alice.get(f"/tasks?{urlencode({'completed': value})}"), 422, "completed: ")


@pytest.mark.parametrize("field", ["created_at", "updated_at", "completed_at"])
def test_bounds_take_in_the_first_moment_and_leave_out_the_last(alice: User, field: str) -> None:
    first, second, third = (alice.task(completed=True) for _ in range(3))
    alice.task()
    bounds = {f"{field}_gte": first[field], f"{field}_lt": third[field]}
    assert _list(alice, **bounds) == {"tasks": [second, first], "count": 2, "next_cursor": None}


def test_count_is_of_what_matches_on_every_page(alice: User) -> None:
    for number in range(5):
        alice.task(completed=number != 2)
    first = _list(alice, completed="true", limit=3)
    assert (len(first["tasks"]), first["count"]) == (3, 4)
    assert _list(alice, completed="true", limit=3, cursor=first["next_cursor"])["count"] == 4


def test_offsets_are_understood(alice: User) -> None:
    task = alice.task()
    created = dt.datetime.fromisoformat(task["created_at"])
    for hours in (-12, -8, 0, 5, 14):
        moment = created.astimezone(dt.timezone(dt.timedelta(hours=hours))).isoformat()
        assert _list(alice, created_at_gte=moment)["count"] == 1
        assert _list(alice, created_at_lt=moment)["count"] == 0


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.5-00:00"])
def test_early_moments_are_taken(alice: User, moment: str) -> None:
    alice.task()
    assert _list(alice, created_at_gte=moment)["count"] == 1


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999-14:00", "9999-12-31T23:59:59Z"])
def test_late_moments_are_taken(alice: User, moment: str) -> None:
    alice.task()
    assert _list(alice, updated_at_lt=moment)["count"] == 1


@pytest.mark.parametrize(
    "moment",
    [
        *("", "now", "2026-11-20", "2026-11-20T11:31:30", "2026-11-20 11:31:30Z", "1763638290", "2026-13-20T11:31:30Z"),
        *("2026-11-20T11:31:30.1234567Z", "2026-02-30T11:31:30Z", "0000-01-01T00:00:00Z", "2026-11-20T24:00:00Z"),
        *("2026-11-20T11:31:30+25:00", "2026-11-20T11:31:30+0100", "2026-11-20T11:31:30 01:00", "infinity"),
        *("\u0662026-11-20T11:31:30Z", "2026-11-20T11:31:30Z\n", "+2026-11-20T11:31:30Z", "2026-11-20T11:31:60Z"),
    ],
)
def test_bad_moments_are_refused(alice: User, moment: str) -> None:
    assert_error(alice.get(f"/tasks?{urlencode({'created_at_gte': moment})}"), 422, "created_at_gte: ")


def test_each_bad_moment_is_named(alice: User) -> None:
    assert_error(alice.get(f"/tasks?{'&'.join(f'{name}=now' for name in MOMENTS)}"), 422, *MOMENTS)


# Search


@pytest.mark.parametrize(
    ("q", "text"),
    [
        ("bread buy", "Buy milk and bread"),
        ("\u041c\u041e\u041b\u041e\u041a\u041e", "\u043c\u043e\u043b\u043e\u043a\u043e"),
        ("\U0001f95b", "oat milk \U0001f95b"),
        ("50%+b&c", "50%+B&C=d"),
        ("a\\", "a\\"),
    ],
)
def test_search_finds_all_words_in_any_case(alice: User, q: str, text: str) -> None:
    task = alice.task(text)
    alice.task("50%+b\u2026")
    assert _list(alice, q=q) == {"tasks": [task], "count": 1, "next_cursor": None}


def test_search_stays_with_the_caller(alice: User, bob: User) -> None:
    alice.task("secret")
    assert _list(bob, q="secret")["count"] == 0


def test_search_takes_a_hundred_characters(alice: User) -> None:
    task = alice.task("\U0001f95b" * 100)
    assert _list(alice, q="\U0001f95b" * 100)["tasks"] == [task]
    assert_error(alice.get(f"/tasks?{urlencode({'q': 'a' * 101})}"), 422, "q: ")


@pytest.mark.parametrize("q", ["", " ", "\u3000\u00a0", "\x00", "a\x00b"])
def test_bad_searches_are_refused(alice: User, q: str) -> None:
    assert_error(alice.get(f"/tasks?{urlencode({'q': q})}"), 422, "q: ")
