"""`manage.py create_operator`: the admin's first account, for deployments where nobody can be asked."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, IntegrityError, transaction


class Command(BaseCommand):
    help = (
        "Make the admin's account OPERATOR_USERNAME with OPERATOR_PASSWORD, which may do everything. Can be run at "
        "each deployment: an account that is there stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rotate-password",
            action="store_true",
            help="give an account that is there this password, which signs it out everywhere",
        )

    def handle(self, *, rotate_password: bool, **_options: Any) -> None:  # noqa: ANN401 (Django's)
        wanted, password = _from_environment()
        try:
            self._report(*_ensure(wanted, password, rotate=rotate_password))
        except ValidationError as exc:
            raise CommandError(" ".join(exc.messages)) from None
        except Error as exc:
            raise CommandError(f"The database: {str(exc).strip()}") from exc

    def _report(self, operator: User, done: str) -> None:
        self.stdout.write(f"Operator {operator.username}: {done}.")
        if not (operator.is_active and operator.is_superuser and operator.is_staff):
            self.stderr.write(f"{operator.username} is not an active superuser, and was left so.")


def _from_environment() -> tuple[User, str]:
    environment = settings.ENVIRONMENT
    if not environment.operator_username or not environment.operator_password:
        raise CommandError("Set OPERATOR_USERNAME and OPERATOR_PASSWORD in the environment.")
    name, email = User.normalize_username(environment.operator_username), environment.operator_email or ""
    operator = User(username=name, email=email, is_staff=True, is_superuser=True)
    return operator, environment.operator_password.get_secret_value()


def _ensure(wanted: User, password: str, *, rotate: bool) -> tuple[User, str]:
    """Make the account unless it is there; return it as it is then, and what was done. Raises ValidationError."""
    there = User.objects.filter(username=wanted.username).first()
    if there is None:
        _set_password(wanted, password)
        wanted.full_clean()
        try:
            with transaction.atomic("operator"):
                wanted.save(force_insert=True)
        except IntegrityError:  # made by another deployment a moment ago
            return User.objects.get(username=wanted.username), "was there already"
        return wanted, "made"
    if not rotate or there.check_password(password):
        return there, "was there already"
    _set_password(there, password)
    there.save(update_fields=["password"])
    return there, "has another password now"


def _set_password(operator: User, password: str) -> None:
    validate_password(password, operator)
    operator.set_password(password)
