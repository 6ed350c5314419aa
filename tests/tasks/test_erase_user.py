"""`erase_user`: nothing is left of one user, and all of the others."""

import io
import json
import sys

import pytest
from django.core.management import CommandError, call_command

from tasks import queries
from tasks.models import Task

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

OPERATOR = Task.objects.using("operator")
ALICE = OPERATOR.owned_by("alice-leaves")


@pytest.fixture
def tasks() -> int:
    for number in range(3):
        OPERATOR.add(user_id="alice-leaves", text=f"{number}")
    return 3


def test_erase_leaves_nothing_of_this_user_and_all_of_others(tasks: int) -> None:
    out = io.StringIO()
    his = OPERATOR.add(user_id="bob", text="his")
    call_command("erase_user", "alice-leaves", "--yes", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"user_id": "alice-leaves", "erased": tasks}
    assert not ALICE.exists()
    assert OPERATOR.filter(id=his["id"]).exists()


def test_erase_by_many_statements_tells_how_many_there_were(tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "DELETED_AT_ONCE", 1)
    assert queries.erase_user("alice-leaves", "operator") == tasks


def test_erase_of_nothing_succeeds() -> None:
    out = io.StringIO()
    call_command("erase_user", "nobody-at-all", "--yes", stdout=out)
    assert out.getvalue() == "Erased 0 tasks of nobody-at-all.\n"


def test_erase_needs_yes_where_nobody_can_be_asked(tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    with pytest.raises(CommandError, match="--yes") as refused:
        call_command("erase_user", "alice-leaves")
    assert refused.value.returncode == 2
    assert ALICE.count() == tasks


@pytest.mark.parametrize(("answer", "left"), [("yes\n", 0), ("y\n", 3), ("", 3)])
def test_erase_asks_on_a_terminal(tasks: int, monkeypatch: pytest.MonkeyPatch, answer: str, left: int) -> None:
    terminal, err = io.StringIO(answer), io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    try:
        call_command("erase_user", "alice-leaves", stdout=io.StringIO(), stderr=err)
    except CommandError as exc:
        assert exc.returncode == 1
    assert f"erases {tasks} tasks of alice-leaves" in err.getvalue()
    assert ALICE.count() == left


def test_whoever_can_have_tasks_can_be_erased() -> None:
    sub = "a\u200b\u00a0=b\n\x1b " + "🐘" * 240
    OPERATOR.add(user_id=sub, text="a")
    call_command("erase_user", sub, "--yes", stdout=io.StringIO())
    assert not OPERATOR.owned_by(sub).exists()
