"""What the commands on tasks share: the operators' connection, and how they fail."""

import re
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterable
from typing import Any, TypeVar

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, ProgrammingError
from tqdm import tqdm

from tasks.models import USER_ID_MAX_LENGTH

T = TypeVar("T")


class OperatorCommand(BaseCommand):
    """A command over the operators' connection. What the database has against it is said in a line (exit code 1)."""

    def execute(self, *args: Any, **options: Any) -> str | None:  # noqa: ANN401 (Django's)
        try:
            return super().execute(*args, **options)
        except (Error, psycopg.Error) as exc:
            advice = " Has manage.py migrate run?" if isinstance(exc, ProgrammingError) else ""
            raise CommandError(f"The database: {str(exc).strip()}{advice}") from exc


def user_id(argument: str) -> str:
    """Take an argument for a user id, also one that no token could have today, if the database could hold it.

    Raises ArgumentTypeError, which ends the command with exit code 2.
    """
    if not 1 <= len(argument) <= USER_ID_MAX_LENGTH or re.search("[\0\ud800-\udfff]", argument):
        raise ArgumentTypeError(f"a user id has 1 to {USER_ID_MAX_LENGTH} characters, in UTF-8, none of them NUL")
    return argument


def progress(items: Iterable[T], total: int | None = None) -> Iterable[T]:
    """The items, with a bar on a terminal that counts them."""
    return tqdm(items, total=total, unit=" tasks", unit_scale=True, disable=not sys.stderr.isatty())
