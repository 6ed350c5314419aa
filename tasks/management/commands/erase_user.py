"""`manage.py erase_user SUB`: delete all that is kept of a user."""

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tasks.management.operators import OperatorCommand, user_id
from tasks.models import Task
from tasks.queries import erase_user
from tasks.turns import writing_for


class Command(OperatorCommand):
    help = (
        "Delete all that is kept of a user, for good: tasks, traces of deleted ones, answers under idempotency keys. "
        "Asks first on a terminal; elsewhere it needs --yes. Succeeds also if there is nothing to delete."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sub", type=user_id, metavar="SUB", help="the user id")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, sub: str, yes: bool, **options: Any) -> None:  # noqa: ANN401 (Django's)
        if not yes:
            self._ask(sub)
        with writing_for(sub):
            erased = erase_user(sub, "operator")
        report = {"user_id": sub, "erased": erased}
        self.stdout.write(json.dumps(report) if options["json"] else f"Erased {erased} tasks of {sub}.")

    def _ask(self, sub: str) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nothing was erased: say --yes where nobody can be asked.", returncode=2)
        count = Task.objects.using("operator").owned_by(sub).count()
        self.stderr.write(f"This erases {count} tasks of {sub}, for good. Type yes to go on: ", ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip() != "yes":
            raise CommandError("Nothing was erased.")
