"""The pictures of docs/images, from made-up tasks: `make screenshots` writes them; no part of the suite."""

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from tasks.models import Task
from tests.browser.chromium import Page
from tests.client import Live
from tests.live import ROOT

IMAGES = ROOT / "docs" / "images"
MAX_BYTES = 200_000
USERS = (
    "ada",
    "grace",
    "émilie",
    "Σοφία",
    "хедвиг",
    "annie",
    "mary",
    "katherine",
    "dorothy",
    "lise",
    "emmy",
    "rosalind",
)
TEXTS = (  # in scripts that the fonts of a plain Debian have
    *("Buy groceries", "Call the dentist", "Water the plants", "Return the library books", "Write to Zoë"),
    *("Réparer le vélo", "Brot & Käse kaufen", "Заказать билеты", "Αγόρασε γάλα", "Book the train to Kraków"),
)


def _tasks() -> Iterator[Task]:
    """Two months of tasks, the same each time but for the date; more of the first users, fewer on weekends."""
    dice, now = random.Random(7), timezone.now()  # noqa: S311 (a picture)
    for _ in range(3000):
        created = now - dt.timedelta(days=60 * dice.random() ** 1.5)
        if created.weekday() > 4 and dice.random() < 0.6:
            continue
        done = created + (now - created) * dice.random() ** 3 if dice.random() < 0.55 else None
        yield Task(
            user_id=USERS[int(len(USERS) * dice.random() ** 2)],
            text=dice.choice(TEXTS),
            completed=done is not None,
            created_at=created,
            updated_at=done or created,
            completed_at=done,
        )


@pytest.fixture(scope="session")
def _made_up(gunicorn: Live, django_db_blocker: DjangoDbBlocker) -> None:  # noqa: ARG001 (its database)
    with django_db_blocker.unblock():
        Task.objects.using("operator").bulk_create(_tasks())


@pytest.fixture
def visitor(_made_up: None, request: pytest.FixtureRequest) -> Page:
    page: Page = request.getfixturevalue("desk")  # not before the tasks: the dashboard keeps its numbers for a minute
    return page


@pytest.mark.parametrize(
    ("name", "path", "look"),
    [
        ("dashboard", "/admin/", {"size": "desktop"}),
        ("dashboard-phone-dark", "/admin/", {"size": "phone", "scheme": "dark"}),
        ("tasks", "/admin/tasks/task/", {"size": "desktop"}),
        ("user", "/admin/tasks/task/user/?user_id=ada", {"size": "desktop"}),
        ("docs", "/docs", {"size": "desktop"}),
    ],
)
def test_picture(visitor: Page, name: str, path: str, look: dict[str, Any]) -> None:
    visitor.show_as(**look)
    visitor.visit(path)
    visitor.one("#operations-Tasks-listTasks" if name == "docs" else "#content")
    IMAGES.mkdir(exist_ok=True)
    visitor.photograph(IMAGES / f"{name}.png")
    assert (IMAGES / f"{name}.png").stat().st_size <= MAX_BYTES
