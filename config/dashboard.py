"""What operators see first: how many tasks, of whom, a plot of the last days, and how database and keys are.

Whatever cannot be had in a few seconds is missing, and the page says so; it never fails for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.contrib import admin
from django.db import Error, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from authjwt.status import KeyStatus, key_status
from config.health import READY_SECONDS, probe
from config.logging import Logger
from tasks import statistics
from tasks.models import Task
from tasks.statistics import Day, Statistics

PLOT_HEIGHT = 100  # of the SVG's own units; the style sheet says how large that is on the screen
DAY_WIDTH = 10
TIMEOUT_MS = 1_000  # of what takes a millisecond unless the table is locked

log = Logger(__name__)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: created tasks stand on the base line, completed ones hang from it."""

    day: Day
    x: int
    top: float
    created: float
    completed: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Both numbers of each day, to one scale."""

    bars: tuple[Bar, ...]
    width: int
    base: float
    most_created: int
    most_completed: int

    @classmethod
    def of(cls, days: Sequence[Day]) -> Self:
        created, completed = max(day.created for day in days), max(day.completed for day in days)
        scale = PLOT_HEIGHT / max(1, created + completed)
        bars = tuple(
            Bar(
                day,
                x=DAY_WIDTH * place,
                top=round(scale * (created - day.created), 2),
                created=round(scale * day.created, 2),
                completed=round(scale * day.completed, 2),
            )
            for place, day in enumerate(days)
        )
        return cls(bars, DAY_WIDTH * len(bars), round(scale * created, 2), created, completed)


@dataclass(frozen=True, slots=True)
class Database:
    """As the operators' connection sees it."""

    version: str
    table_bytes: int
    """Of the tasks, with their indexes."""

    pending_migrations: int


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything on the page."""

    numbers: Statistics | None
    """None if they were not to be had in time."""

    plot: Plot | None
    database: Database | None
    api_connected: bool
    """Whether the connection that serves requests is there, too."""

    keys: KeyStatus


def index(request: HttpRequest) -> HttpResponse:
    """Show the dashboard, to whoever may see tasks, above what Django's admin shows first."""
    return admin.site.index(request, {"dashboard": take() if request.user.has_perm("tasks.view_task") else None})


def take() -> Dashboard:
    """Look at everything, in a few seconds at most; as a rule in milliseconds."""
    numbers = _numbers()
    return Dashboard(
        numbers=numbers,
        plot=Plot.of(numbers.days) if numbers else None,
        database=_database(),
        api_connected=probe.connected(max_age=READY_SECONDS),
        keys=key_status(),
    )


def _numbers() -> Statistics | None:
    try:
        return statistics.latest()
    except Error:
        log.warning("dashboard_without_numbers", exc_info=True)
        return None


def _database() -> Database | None:
    connection = connections["operator"]
    try:
        with transaction.atomic("operator"), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {TIMEOUT_MS:d}")
            cursor.execute(
                "SELECT split_part(current_setting('server_version'), ' ', 1), pg_total_relation_size(to_regclass(%s))",
                [Task._meta.db_table],
            )
            version, size = cursor.fetchone()
            executor = MigrationExecutor(connection)
            pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        log.warning("dashboard_without_database", exc_info=True)
        return None
    return Database(version, size or 0, len(pending))
