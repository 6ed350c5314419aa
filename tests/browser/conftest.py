"""One browser and one operator for all tests; each gets a clean page, and fails if the browser complains."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User as Operator
from pytest_django import DjangoDbBlocker

from tests.browser import chromium
from tests.browser.chromium import Page
from tests.client import Live, User

USERNAME, PASSWORD = "hedy", "right-horse-battery-9"


@pytest.fixture
def transport(gunicorn: Live) -> Live:
    """Tasks are made where the browser looks."""
    return gunicorn


@pytest.fixture(scope="session")
def chromium_page(gunicorn: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium.start(gunicorn.base_url, tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(transport: Live, chromium_page: Page) -> Iterator[Page]:  # noqa: ARG001 (conftest lets it use the database)
    """A desktop that nobody is signed in on."""
    chromium_page.driver.delete_all_cookies()
    chromium_page.show_as("desktop")
    chromium_page.complaints()
    yield chromium_page
    assert chromium_page.complaints() == []


@pytest.fixture(scope="session")
def operator(gunicorn: Live, django_db_blocker: DjangoDbBlocker) -> Iterator[Operator]:  # noqa: ARG001 (its database)
    """An account that the live server sees."""
    with django_db_blocker.unblock():
        operator = Operator.objects.create_superuser(USERNAME, password=PASSWORD)
    yield operator
    with django_db_blocker.unblock():
        operator.delete()


@pytest.fixture(scope="session")
def session_cookie(operator: Operator, gunicorn: Live, chromium_page: Page) -> dict[str, str]:
    """Sign in once, as people do. The dashboard, which is shown then and keeps its numbers, has something to show."""
    User(gunicorn, "somebody").task()
    chromium_page.driver.delete_all_cookies()
    sign_in(chromium_page, operator.username, PASSWORD)
    cookie = chromium_page.driver.get_cookie("sessionid")
    assert cookie, "nobody is signed in"
    return cookie


@pytest.fixture
def desk(session_cookie: dict[str, str], page: Page) -> Page:
    """A desktop of an operator, who is signed in."""
    page.visit("/livez")  # cookies belong to the host that is shown
    page.driver.add_cookie(session_cookie)
    return page


def sign_in(page: Page, username: str, password: str) -> None:
    page.visit("/admin/")
    page.type("[name=username]", username)
    page.type("[name=password]", password)
    page.go("[type=submit]")
