"""`manage.py purge`: delete what has expired."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tasks import changes, idempotency
from tasks.management.operators import OperatorCommand

MOST_DAYS = 36_500  # a century; much further back no calendar goes


class Command(OperatorCommand):
    help = "Delete what has expired, of all users: idempotency keys, and what is kept of deleted tasks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days", type=int, default=changes.DAYS, help=f"how long deletions are kept: {changes.DAYS} or more"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, days: int, **options: Any) -> None:  # noqa: ANN401 (Django's)
        if not changes.DAYS <= days <= MOST_DAYS:
            why = f"a sync token is good for {changes.DAYS} days, and needs them"
            raise CommandError(f"--days must be from {changes.DAYS} to {MOST_DAYS}: {why}.", returncode=2)
        report = {"idempotency_keys": idempotency.purge(), "tombstones": changes.purge(days)}
        line = "Deleted {idempotency_keys} expired idempotency keys and {tombstones} tombstones.".format_map(report)
        self.stdout.write(json.dumps(report) if options["json"] else line)
