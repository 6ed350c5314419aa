"""The admin's first page: numbers for those who may see tasks, and a page for everybody whatever the database does."""

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.contrib.auth.models import User as Operator
from django.db import connections
from django.test import Client
from pytest_django import Settings

from authjwt.conf import from_environment
from authjwt.security import current_verifier
from config import dashboard
from config.dashboard import Plot
from tasks import statistics
from tasks.models import Task
from tasks.statistics import Day
from tests.authjwt.forge import ISSUER, issuer_jwks, token
from tests.authjwt.jwks_server import JWKSServer
from tests.shapes import assert_nothing_inline

pytestmark = pytest.mark.django_db(databases=["default", "operator"])


@pytest.fixture(autouse=True)
def _counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_latest", statistics._Latest())


@pytest.fixture
def first_page() -> Callable[..., str]:
    """What staff with these permissions see, without its tags."""

    def first_page(*permissions: str) -> str:
        client = Client()
        somebody = Operator.objects.create_user(f"staff-{uuid.uuid4()}", is_staff=True)
        somebody.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(somebody)
        answer = client.get("/admin/")
        assert answer.status_code == 200
        assert_nothing_inline(answer.content.decode())
        return answer.content.decode()

    return first_page


def _facts(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def _add(user_id: str, **values: bool) -> None:
    Task.objects.using("operator").add(user_id=user_id, text="Buy groceries", **values)


def test_counts_are_those_of_the_tasks(first_page: Callable[..., str]) -> None:
    Task.objects.using("operator").remove()
    for user_id, completed in (("ann", True), ("ann", False), ("ben", False)):
        _add(user_id, completed=completed)
    facts = _facts(first_page("view_task"))
    assert "Tasks 3 Open 2 Completed 1 Users 2" in facts
    assert f"{dt.datetime.now(dt.UTC).date()} 3 1" in facts
    assert "ann 2 ben 1" in facts


def test_estimates_are_called_so(first_page: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "COUNTED_UP_TO", -1)
    _add("ann")
    facts = _facts(first_page("view_task"))
    assert re.search(r"Tasks, about [\d,]+ Open, about [\d,]+ Completed, about [\d,]+ Users, about [\d,]+", facts)


def test_biggest_user_leads_to_their_page(first_page: Callable[..., str]) -> None:
    Task.objects.using("operator").remove()
    user_id = "a/b?c=d&e='\"<ü>"
    _add(user_id)
    assert f'href="/admin/tasks/task/user/?{urlencode({"user_id": user_id})}"' in first_page("view_task")


@pytest.mark.parametrize("permissions", [(), ("view_user",), ("change_user",)])
def test_who_may_not_see_tasks_sees_no_numbers(first_page: Callable[..., str], permissions: tuple[str, ...]) -> None:
    _add("ann")
    page = first_page(*permissions)
    assert "Recent actions" in page
    assert "ann" not in page
    assert "PostgreSQL" not in page


@contextmanager
def _locked_table() -> Iterator[None]:
    """Somebody else changes the table."""
    connection = connections.create_connection("operator")
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"BEGIN; SET LOCAL lock_timeout = '2s'; LOCK TABLE {Task._meta.db_table}")
            yield
            cursor.execute("ROLLBACK")
    finally:
        connection.close()


def test_page_is_there_without_the_numbers(first_page: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (statistics, dashboard):
        monkeypatch.setattr(module, "TIMEOUT_MS", 50)
    with _locked_table():
        facts = _facts(first_page("view_task"))
    assert "The numbers could not be had" in facts
    assert "Database does not answer in time" in facts
    assert "Recent actions" in facts


def test_database_is_described(first_page: Callable[..., str]) -> None:
    facts = _facts(first_page("view_task"))
    assert re.search(r"Database PostgreSQL \d+\.\d+ Connection of the API answers Table of tasks [\d.]+\s.?B", facts)
    assert "Migrations all applied" in facts


def test_migrations_that_were_not_applied_are_told(first_page: Callable[..., str]) -> None:
    with connections["operator"].cursor() as cursor:
        latest = "SELECT max(name) FROM django_migrations WHERE app = 'tasks'"
        cursor.execute(f"DELETE FROM django_migrations WHERE app = 'tasks' AND name = ({latest})")
    assert "Migrations 1 not applied: run manage.py migrate" in _facts(first_page("view_task"))


def test_secrets_are_counted(first_page: Callable[..., str], settings: Settings) -> None:
    settings.AUTHJWT = from_environment(better_auth_secrets="2:" + "a1" * 20 + ",1:" + "b2" * 20)
    facts = _facts(first_page("view_task"))
    assert "Mode of tokens secret Secrets 2 " in facts
    assert "a1a1" not in facts


def test_keys_of_the_jwks_are_known_once_a_token_came(first_page: Callable[..., str], settings: Settings) -> None:
    with JWKSServer(issuer_jwks()) as issuer:
        settings.AUTHJWT = from_environment(better_auth_url=ISSUER, better_auth_jwks_url=issuer.url)
        facts = _facts(first_page("view_task"))
        assert "Mode of tokens jwks Keys of the JWKS not read yet" in facts
        assert issuer.hits == 0
        current_verifier().verify(token("EdDSA"))
        keys = len(issuer.document["keys"])
        assert re.search(rf"Keys of the JWKS {keys}, read \d s ago", _facts(first_page("view_task")))
        assert issuer.hits == 1


def _day(created: int, completed: int) -> Day:
    return Day(dt.date(2026, 11, 20), created, completed)


def test_plot_has_one_scale() -> None:
    plot = Plot.of([_day(30, 0), _day(15, 10), _day(0, 20)])
    assert (plot.width, plot.base, plot.most_created, plot.most_completed) == (30, 60, 30, 20)
    assert [(bar.x, bar.top, bar.created, bar.completed) for bar in plot.bars] == [
        (0, 0, 60, 0),
        (10, 30, 30, 20),
        (20, 60, 0, 40),
    ]


def test_plot_of_nothing_is_empty() -> None:
    assert [(bar.created, bar.completed) for bar in Plot.of([_day(0, 0)]).bars] == [(0, 0)]
