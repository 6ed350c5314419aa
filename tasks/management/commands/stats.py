"""`manage.py stats`: how many tasks there are, how many a day, and whose."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from tasks import statistics
from tasks.management.operators import OperatorCommand
from tasks.statistics import Statistics


class Command(OperatorCommand):
    help = (
        "Print how many tasks and users there are, what happened in the last 30 days (UTC), and the biggest users. "
        f"Beyond {statistics.COUNTED_UP_TO:,} tasks the totals are estimates, unless --exact."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exact", action="store_true", help="count everything, however long it takes")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, exact: bool, **options: Any) -> None:  # noqa: ANN401 (Django's)
        numbers = statistics.take(exact=exact)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(numbers), default=lambda date: date.isoformat()))
        else:
            self._print(numbers)

    def _print(self, numbers: Statistics) -> None:
        about = "" if numbers.exact else "about "
        for name in ("tasks", "open", "completed", "users"):
            self.stdout.write(f"{name:<10}{about}{getattr(numbers, name):,}")
        self.stdout.write(f"\n{'day':<10}{'created':>10}{'completed':>11}")
        for day in numbers.days:
            self.stdout.write(f"{day.date}{day.created:>10,}{day.completed:>11,}")
        self.stdout.write("\nbiggest users")
        for share in numbers.biggest_users:
            self.stdout.write(f"{share.tasks:>10,}  {share.user_id}")
