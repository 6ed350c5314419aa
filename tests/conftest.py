"""The cast: alice owns, bob must not see, nobody has no token; each test has its own three."""

import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import hypothesis
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from config.health import probe
from config.postgresql import roles
from tests import live
from tests.client import InProcess, Live, Transport, User
from tests.environment import API_PASSWORD, API_ROLE

pytest.register_assert_rewrite("tests.shapes")

# Under continuous integration the same examples each time; new ones are found at the desk.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Whoever uses the database, or speaks HTTP to us, uses it in both roles.

    Said here for pytest-django, which looks before the fixtures, and makes what is asked for only.
    """
    for item in items:
        if "transport" in getattr(item, "fixturenames", ()) or item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.django_db(databases=["default", "operator"]), append=False)
    yield
    turns = _turns(item.path for item in items)
    items.sort(key=lambda item: turns[item.path])


def _turns(paths: Iterable[Path]) -> dict[Path, float]:
    """When each file comes, from 0 to 1, in whatever order they are.

    Tests that start servers wait much: others use the processors meanwhile. None of them comes last, and is waited for.
    """
    files = dict.fromkeys(paths)
    waiting = [path for path in files if path.parent.name in {"tests", "neon", "web", "browser", "better_auth"}]
    busy = [path for path in files if path not in waiting]
    return {path: 0.8 * number / len(waiting) for number, path in enumerate(waiting)} | {
        path: number / len(busy) for number, path in enumerate(busy)
    }


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_blocker: DjangoDbBlocker) -> None:
    """A database of this run's own, so that two runs at once do not drop each other's, and the API's role."""
    for parameters in connections.settings.values():
        parameters["TEST"]["NAME"] = f"test_tasks_{os.getpid()}"
    with django_db_blocker.unblock():
        roles.prepare_api(connections["operator"], API_ROLE, API_PASSWORD)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:  # noqa: ARG001 (pytest-django's, extended)
    """Close every connection of this process before the test database is dropped."""
    yield
    probe.close()
    connections.close_all()


def _live(server: str) -> Iterator[Live]:
    # Several processes are gunicorn's and granian's business, which fork them; uvicorn's each start anew.
    with live.serve(server, {"WEB_CONCURRENCY": "1" if server == "uvicorn" else "2"}) as base_url:
        client = Live(server, base_url)
        yield client
        client.close()


@pytest.fixture(scope="session")
def gunicorn(django_db_setup: None) -> Iterator[Live]:  # noqa: ARG001 (the live server needs the test database)
    yield from _live("gunicorn")


@pytest.fixture(scope="session")
def uvicorn(django_db_setup: None) -> Iterator[Live]:  # noqa: ARG001 (the live server needs the test database)
    yield from _live("uvicorn")


@pytest.fixture(scope="session")
def granian(django_db_setup: None) -> Iterator[Live]:  # noqa: ARG001 (the live server needs the test database)
    yield from _live("granian")


@pytest.fixture
def django(db: None) -> InProcess:  # noqa: ARG001 (within a transaction that is rolled back)
    return InProcess()


@pytest.fixture
def transport(django: InProcess) -> Transport:
    """In this process; the contract suite puts the live servers here as well."""
    return django


def _user(transport: Transport, name: str) -> User:
    return User(transport, f"{name}-{uuid.uuid4()}")


@pytest.fixture
def alice(transport: Transport) -> User:
    return _user(transport, "alice")


@pytest.fixture
def bob(transport: Transport) -> User:
    return _user(transport, "bob")


@pytest.fixture
def nobody(transport: Transport) -> User:
    return User(transport, None)
