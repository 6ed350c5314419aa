"""Operators sign in, and nobody gets to guess how."""

import uuid

import pytest
from django.contrib.auth.models import User as Operator
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from tests.shapes import assert_nothing_inline

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

PASSWORD = "right-horse-battery"


@pytest.fixture
def operator(settings: Settings) -> Operator:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # for the sake of time
    return Operator.objects.create_superuser(f"operator-{uuid.uuid4()}", password=PASSWORD)


def _sign_in(username: str, password: str, address: str = "192.0.2.1") -> HttpResponse:
    answer = Client(REMOTE_ADDR=address).post("/admin/login/", {"username": username, "password": password})
    assert isinstance(answer, HttpResponse)
    return answer


def test_session_ends_with_the_browser_and_after_a_working_day(operator: Operator) -> None:
    answer = _sign_in(operator.username, PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    session = answer.cookies["sessionid"]
    assert (session["httponly"], session["samesite"], session["max-age"]) == (True, "Lax", "")
    client = Client()
    client.cookies["sessionid"] = session.value
    assert client.session.get_expiry_age() == 8 * 3600


@pytest.mark.parametrize(
    "path", ["", "tasks/task/", "tasks/task/?q=a", "tasks/task/add/", "auth/user/add/", "password_change/"]
)
def test_pages_of_the_admin_have_nothing_inline(operator: Operator, path: str) -> None:
    client = Client()
    client.force_login(operator)
    answer = client.get(f"/admin/{path}")
    assert answer.status_code == 200
    assert_nothing_inline(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]


def test_password_cannot_be_tried_out(operator: Operator) -> None:
    for _ in range(10):
        assert b"Please enter the correct username and password" in _sign_in(operator.username, "wrong").content
    limited = _sign_in(operator.username.upper(), PASSWORD)
    assert b"Too many attempts. Try again in 15 minutes." in limited.content
    assert "sessionid" not in _sign_in(operator.username, PASSWORD).cookies


def test_others_sign_in_meanwhile(operator: Operator) -> None:
    for _ in range(11):
        _sign_in(operator.username, "wrong", address="198.51.100.7")
    assert _sign_in(operator.username, PASSWORD).status_code == 302
