"""Operators' writes keep the model's rules."""

import pytest
from django.contrib.auth.models import User as Operator
from django.test import Client

from tasks.models import Task

pytestmark = pytest.mark.django_db(databases=["default", "operator"])


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(Operator.objects.create_superuser("operator"))
    return client


@pytest.fixture
def task() -> Task:
    return Task.objects.using("operator").create(user_id="alice-of-the-admin", text="Buy groceries")


def test_list_finds_a_users_tasks(operator: Client, task: Task) -> None:
    page = operator.get("/admin/tasks/task/", {"q": task.user_id})
    assert page.status_code == 200
    assert b"Buy groceries" in page.content


def test_completing_sets_the_time(operator: Client, task: Task) -> None:
    answer = operator.post(f"/admin/tasks/task/{task.pk}/change/", {"text": "b", "completed": "on", "order": "4"})
    assert answer.status_code == 302
    task.refresh_from_db(using="operator")
    assert (task.text, task.completed, task.order) == ("b", True, 4)
    assert task.completed_at == task.updated_at > task.created_at


def test_adding_lets_the_database_decide_the_times(operator: Client) -> None:
    answer = operator.post(
        "/admin/tasks/task/add/", {"user_id": "new-user", "text": "a", "completed": "on", "order": "0"}
    )
    assert answer.status_code == 302
    task = Task.objects.using("operator").get(user_id="new-user")
    assert task.created_at == task.updated_at == task.completed_at


def test_owner_of_a_task_cannot_be_changed(operator: Client, task: Task) -> None:
    operator.post(f"/admin/tasks/task/{task.pk}/change/", {"user_id": "mallory", "text": "b", "order": "0"})
    task.refresh_from_db(using="operator")
    assert task.user_id == "alice-of-the-admin"


def test_blank_text_is_refused_on_the_form(operator: Client, task: Task) -> None:
    page = operator.post(f"/admin/tasks/task/{task.pk}/change/", {"text": " ", "order": "0"})
    assert page.status_code == 200
    assert b"This field is required" in page.content
