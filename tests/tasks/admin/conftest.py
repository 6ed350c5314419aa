"""Operators with different permissions, and the tasks that they look after."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.auth.models import User as Operator
from django.test import Client

from tasks.models import Task


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "sign_in" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.django_db(databases=["default", "operator"]))


@pytest.fixture
def sign_in(db: None) -> Callable[..., Client]:  # noqa: ARG001 (within a transaction that is rolled back)
    """Somebody of the staff who may do this (view, add, change, delete), and nothing else, with tasks.

    What live servers have written is forgotten within the test's transaction.
    """
    Task.objects.using("operator").remove()

    def sign_in(*may: str) -> Client:
        somebody = Operator.objects.create_user(f"staff-{uuid.uuid4()}", is_staff=True)
        somebody.user_permissions.set(Permission.objects.filter(codename__in=[f"{verb}_task" for verb in may]))
        client = Client()
        client.force_login(somebody)
        return client

    return sign_in


@pytest.fixture
def operator(sign_in: Callable[..., Client]) -> Client:
    """May do everything with tasks."""
    return sign_in("view", "add", "change", "delete")


@pytest.fixture
def alice() -> str:
    """An id as opaque as they come."""
    return f"alice/{uuid.uuid4()}?a=1&b='\"<ü>"


@pytest.fixture
def add(sign_in: object) -> Callable[..., Task]:  # noqa: ARG001 (marks the test as one that uses the database)
    """Add a task as the API does."""

    def add(user_id: str, text: str = "Buy groceries", **values: Any) -> Task:
        row = Task.objects.using("operator").add(user_id=user_id, text=text, **values)
        return Task.objects.using("operator").get(pk=row["id"])

    return add


@pytest.fixture
def task(add: Callable[..., Task], alice: str) -> Task:
    return add(alice)
