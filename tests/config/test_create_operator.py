"""`manage.py create_operator`: from the environment, once, and never aloud."""

import io
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

pytestmark = pytest.mark.django_db(databases=["default", "operator"])


@pytest.fixture(autouse=True)
def _quick_hash(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


PASSWORD = "correct horse battery"
OTHER = "staple of paper, quite long"


def _create(*options: str, name: str | None = "opal", password: str | None = PASSWORD) -> str:
    values = {"operator_username": name, "operator_password": password, "operator_email": "opal@example.com"}
    environment = type(settings.ENVIRONMENT)(**{**settings.ENVIRONMENT.model_dump(), **values})
    out = io.StringIO()
    with override_settings(ENVIRONMENT=environment):
        call_command("create_operator", *options, stdout=out, stderr=out)
    assert PASSWORD not in out.getvalue() + repr(environment)
    return out.getvalue()


def test_operator_is_made_and_may_do_everything() -> None:
    assert _create() == "Operator opal: made.\n"
    operator = User.objects.get(username="opal")
    assert operator.is_active
    assert operator.is_staff
    assert operator.is_superuser
    assert operator.email == "opal@example.com"
    assert operator.check_password(PASSWORD)


def test_second_time_leaves_the_account_as_it_is() -> None:
    _create()
    assert _create(password=OTHER) == "Operator opal: was there already.\n"
    assert User.objects.get(username="opal").check_password(PASSWORD)


def test_password_is_rotated_when_told() -> None:
    _create()
    assert _create("--rotate-password", password=OTHER) == "Operator opal: has another password now.\n"
    assert User.objects.get(username="opal").check_password(OTHER)


def test_rotation_to_the_same_password_signs_nobody_out() -> None:
    _create()
    before = User.objects.get(username="opal").password
    assert "was there already" in _create("--rotate-password")
    assert User.objects.get(username="opal").password == before


def test_account_of_less_rights_is_not_raised() -> None:
    User.objects.create_user("opal", password=OTHER)
    assert "not an active superuser" in _create()
    assert not User.objects.get(username="opal").is_superuser


@pytest.mark.parametrize("password", ["short", "password123456", "123456789012345", "opal@example.com"])
@pytest.mark.parametrize("options", [[], ["--rotate-password"]], ids=["new", "rotated"])
def test_weak_password_is_refused(password: str, options: list[str]) -> None:
    if options:
        _create()
    with pytest.raises(CommandError) as caught:
        _create(*options, password=password)
    assert len(password) < 8 or password not in str(caught.value)
    assert not User.objects.filter(username="opal").exists() or User.objects.get(username="opal").check_password(
        PASSWORD
    )


def test_account_made_by_another_deployment_meanwhile_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User, "full_clean", lambda _: User.objects.create_superuser("opal", password=OTHER))
    assert _create() == "Operator opal: was there already.\n"
    assert User.objects.get(username="opal").check_password(OTHER)


def test_database_that_cannot_be_asked_is_named() -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute("ALTER TABLE auth_user RENAME TO elsewhere")
    with pytest.raises(CommandError, match='The database: relation "auth_user" does not exist'):
        _create()


def test_name_that_cannot_be_is_refused() -> None:
    with pytest.raises(CommandError, match="valid username"):
        _create(name="o p a l!")


@pytest.mark.parametrize("missing", [{"name": None}, {"password": None}])
def test_missing_variables_are_named(missing: dict[str, None]) -> None:
    with pytest.raises(CommandError, match="OPERATOR_USERNAME and OPERATOR_PASSWORD"):
        _create(**missing)
