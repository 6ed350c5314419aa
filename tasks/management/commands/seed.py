"""`manage.py seed --users N --tasks M`: realistic tasks in bulk."""

import random
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connections, transaction
from uuid6 import uuid7

from tasks.management.operators import OperatorCommand, progress
from tasks.models import WIRE_FIELDS, Row, Task

YEAR_SECONDS = 365 * 24 * 3600
DONE_SHARE = 0.4

PHRASES = (
    ("Buy", "Return", "Order", "Compare prices of"),
    ("Call", "Write to", "Visit", "Thank"),
    ("Fix", "Clean", "Paint", "Measure"),
    ("Acheter", "Réparer", "Préparer", "Commander"),
    ("Kaufen:", "Aufräumen:", "Überprüfen:", "Bestellen:"),
    ("Купить", "Починить", "Заказать", "Проверить"),
    ("買う：", "修理する：", "予約する：", "確認する："),  # noqa: RUF001 (Japanese has its own colon)
    ("اشترِ", "أصلح", "اطلب", "راجع"),
)
THINGS = (
    *("groceries", "the bicycle", "grandmother", "two tickets", "the kitchen window", "oat milk 🥛", "the tax form"),
    *("le vélo", "des fleurs 💐", "die Fahrkarten", "Brot & Käse", "молоко", "билеты на поезд", "牛乳", "電車の切符"),
    *("الخبز", "تذاكر القطار", "coffee ☕", "a gift for Zoë 🎁", "the O'Neills", "50 % of the shelf"),
)
NOTES = ("", "", "", " before Friday", " (urgent!)", " – see the list", " 🚲", " … and bring a bag")  # noqa: RUF001 (as people write)


class Command(OperatorCommand):
    help = (
        "Insert M realistic tasks for each of N users, named seed-1 to seed-N. The same --random-seed gives the same "
        "texts, in the same order, of which the same are done; ids and times are new each time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users", type=int, required=True, metavar="N", help="number of users")
        parser.add_argument("--tasks", type=int, required=True, metavar="M", help="number of tasks of each user")
        parser.add_argument("--random-seed", type=int, metavar="S", help="repeats an earlier run")

    def handle(self, *, users: int, tasks: int, random_seed: int | None, **_options: Any) -> None:  # noqa: ANN401 (Django's)
        if users < 1 or tasks < 1:
            raise CommandError("--users and --tasks are positive numbers", returncode=2)
        started = time.monotonic()
        rows = _rows(users, tasks, random.Random(random_seed))  # noqa: S311 (nothing to guess here)
        _copy(progress(rows, total=users * tasks))
        seconds = time.monotonic() - started
        self.stdout.write(f"{users * tasks} rows in {seconds:.1f} s ({users * tasks / seconds:.0f} rows/s)")


def _rows(users: int, tasks: int, dice: random.Random) -> Iterator[Row]:
    """Tasks of the last year, some done, with the texts of `dice`."""
    now = datetime.now(UTC)
    for user in range(1, users + 1):
        for order in range(tasks):
            created = now - timedelta(seconds=dice.random() * YEAR_SECONDS)
            changed = created + (now - created) * dice.random()
            done = dice.random() < DONE_SHARE
            yield {
                "id": uuid7(),
                "user_id": f"seed-{user}",
                "text": f"{dice.choice(dice.choice(PHRASES))} {dice.choice(THINGS)}{dice.choice(NOTES)}",
                "completed": done,
                "order": order,
                "created_at": created,
                "updated_at": changed if done else created,
                "completed_at": changed if done else None,
            }


def _copy(rows: Iterable[Row]) -> None:
    """Send rows by COPY, all of them or none; aside first, because row-level security does not take a COPY.

    The planner gets to know them at once, not when autovacuum comes by.
    """
    connection = connections["operator"]
    quote = connection.ops.quote_name
    table, columns = quote(Task._meta.db_table), ", ".join(quote(name) for name in WIRE_FIELDS)
    with transaction.atomic("operator"), connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE seeded AS SELECT {columns} FROM {table} LIMIT 0")
        with cursor.copy(f"COPY seeded ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[name] for name in WIRE_FIELDS])
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM seeded")
        cursor.execute("DROP TABLE seeded")
        cursor.execute(f"ANALYZE {table}")
