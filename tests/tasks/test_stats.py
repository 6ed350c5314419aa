"""`manage.py stats`."""

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from tasks.models import Task

pytestmark = pytest.mark.django_db(databases=["default", "operator"])


@pytest.fixture(autouse=True)
def _tasks() -> None:
    tasks = Task.objects.using("operator")
    tasks.remove()
    for number in range(3):
        tasks.add(user_id="alice", text="a", completed=number == 0)
    tasks.add(user_id="bob", text="b")


def _stats(*options: str) -> str:
    out = io.StringIO()
    call_command("stats", *options, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("options", [[], ["--exact"]])
def test_stats_as_json(options: list[str]) -> None:
    numbers: dict[str, Any] = json.loads(_stats("--json", *options))
    assert [numbers[name] for name in ("tasks", "open", "completed", "users", "exact")] == [4, 3, 1, 2, True]
    assert numbers["days"][-1] == {"date": dt.datetime.now(dt.UTC).date().isoformat(), "created": 4, "completed": 1}
    assert len(numbers["days"]) == 30
    assert numbers["biggest_users"] == [{"user_id": "alice", "tasks": 3}, {"user_id": "bob", "tasks": 1}]
    assert dt.datetime.fromisoformat(numbers["as_of"]).tzinfo is not None


def test_stats_for_people() -> None:
    lines = _stats().splitlines()
    assert lines[:4] == ["tasks     4", "open      3", "completed 1", "users     2"]
    assert lines[-2:] == ["         3  alice", "         1  bob"]
