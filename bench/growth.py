"""How the API's own statements fare as the table grows: one table, and the same rows partitioned by `user_id`.

    .venv/bin/python -m bench.growth --millions 1 10 --partitions 64
    .venv/bin/python -m bench.growth --millions 100 --partitions 0     # the one table only

Fills a database `growth` of the embedded PostgreSQL (0.4 GB per million rows and table while it runs) and drops it in
the end. No two tasks of a user lie on one page, which is the worst case; each has PER_USER of them. Each statement is
sent by the API's role under row-level security, on one table and on the other in turns; what is printed is the best of
the repetitions, since other programs can only make them worse; by then caches are warm, since users of the sample are
neighbours on the pages. Commits are not waited for.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import django
import psycopg
from tqdm import tqdm

os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": "", "DATABASE_URL_UNPOOLED": ""}
os.environ.setdefault("SECRET_KEY", "no session is made here")
django.setup()

from django.core.management import call_command
from django.db import connection, connections

from config import embedded
from config.databases import API_ROLE, OWNER_ROLE
from config.postgresql.row_security import Cursor, acting_as
from tasks import listing, queries
from tasks.parameters import ListParameters
from tasks.schemas import NewTask

PER_USER = 50
REPETITIONS, SAMPLES = 10, 200
EXPLAINED = 25
DATABASE = "growth"
TABLES = ("plain", "partitioned")  # two schemas, in each a tasks_task

# One task a second up to now. The owner fills the table before there are indexes, as any bulk load should.
FILL = """
INSERT INTO {schema}.tasks_task (id, user_id, text, completed, "order", created_at, updated_at, completed_at)
SELECT uuidv7(at - now()), md5((n %% %(users)s)::text), repeat('Buy groceries ', 1 + n %% 5), done, 0, at, at,
       CASE WHEN done THEN at END
FROM generate_series(0, %(rows)s - 1) AS n,
     LATERAL (SELECT now() - (%(rows)s - n) * interval '1 second' AS at, n %% 5 < 2 AS done) AS derived
"""
PARTITION = """
CREATE TABLE partitioned.tasks_task (LIKE public.tasks_task INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY HASH (user_id);
ALTER TABLE partitioned.tasks_task ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY task_own_rows ON partitioned.tasks_task
    USING (user_id = nullif(current_setting('app.user_id', true), ''))
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), ''));
CREATE POLICY task_operators ON partitioned.tasks_task TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON partitioned.tasks_task TO tasks_api;
"""
TRIGGERS = """
SELECT replace(pg_get_triggerdef(oid), 'public.tasks_task', 'partitioned.tasks_task') FROM pg_trigger
WHERE tgrelid = 'public.tasks_task'::regclass AND NOT tgisinternal
"""
KEYS = {"plain": "id", "partitioned": "user_id, id"}
NEWEST_FIRST = "CREATE INDEX ON {schema}.tasks_task (user_id, created_at DESC, id DESC)"
SIZES = """
SELECT sum(pg_table_size(of.oid)), sum(pg_indexes_size(of.oid)), sum(pg_relation_size(key.indexrelid))
FROM pg_class AS of JOIN pg_index AS key ON key.indrelid = of.oid AND key.indisprimary
WHERE of.relkind = 'r' AND of.relnamespace = %s::regnamespace
"""

Statement = tuple[str, tuple[Any, ...]]


class Seen(Exception):
    """The statement that would have been sent."""


def statement(operation: Callable[[], object]) -> Statement:
    """What `operation` sends to the database; it is not sent."""

    def see(_execute: object, sql: str, params: tuple[Any, ...], *_: object) -> None:
        raise Seen(sql, params)

    try:
        with connection.execute_wrapper(see):
            operation()
    except Seen as seen:
        sql, params = seen.args
        return sql, params
    raise AssertionError("nothing was sent")


def operations(user: str, task: UUID) -> dict[str, Callable[[], object]]:
    """The API's own, for one user and one of the user's tasks; the last one takes the task away."""
    return {
        f"list of {PER_USER}": lambda: listing.read(user, ListParameters()),
        "get": lambda: queries.get_task(user, task),
        "insert": lambda: queries.create_task(user, NewTask(text="Buy groceries").given),
        "update": lambda: queries.update_task(user, task, {"text": "Buy bread", "completed": True}),
        "delete": lambda: queries.delete_task(user, task),
    }


def for_table(table: str, sql: str) -> str:
    """The one thing that partitioning changes: the way to one task is a key that begins with its user."""
    return sql if table == "plain" else sql.replace(' COLLATE "C"', "")


@dataclass(frozen=True)
class Bench:
    """One database with both tables, and a session of the API's role for each."""

    owner: psycopg.Connection[Any]
    api: dict[str, psycopg.Connection[Any]]
    partitions: int

    def fill(self, millions: float) -> None:
        rows = int(millions * 1_000_000)
        for table in self.api:
            started = time.monotonic()
            source = FILL if table == "plain" else "INSERT INTO {schema}.tasks_task SELECT * FROM plain.tasks_task"
            params = {"rows": rows, "users": rows // PER_USER} if table == "plain" else None
            self._run(f"ALTER TABLE {table}.tasks_task DISABLE TRIGGER USER")
            self._run(source.format(schema=table), params)
            self._run(f"ALTER TABLE {table}.tasks_task ENABLE TRIGGER USER")
            self._run(f"ALTER TABLE {table}.tasks_task ADD PRIMARY KEY ({KEYS[table]})")
            self._run(NEWEST_FIRST.format(schema=table))
            self._run(f"VACUUM ANALYZE {table}.tasks_task")
            print(f"filled {table}: {rows} rows, {time.monotonic() - started:.0f} s", file=sys.stderr)

    def prepare(self) -> None:
        self._run("CREATE SCHEMA partitioned")
        self._run(PARTITION)
        for n in range(self.partitions):
            self._run(
                f"CREATE TABLE partitioned.task_{n} PARTITION OF partitioned.tasks_task"
                f" FOR VALUES WITH (MODULUS {self.partitions}, REMAINDER {n})"
            )
        for (trigger,) in self._run(TRIGGERS).fetchall():
            self._run(trigger)
        self._run("ALTER SEQUENCE task_revision OWNED BY NONE")  # it stays where the triggers look for it
        self._run("ALTER TABLE tasks_task DROP CONSTRAINT tasks_task_pkey")
        self._run("DROP INDEX task_user_newest_first")
        self._run("CREATE SCHEMA plain")
        self._run("ALTER TABLE tasks_task SET SCHEMA plain")
        self._run("GRANT USAGE ON SCHEMA plain, partitioned TO tasks_api")

    def samples(self, number: int, rows: float) -> Iterator[tuple[str, UUID]]:
        """Tasks from all over the table, each one once, no two of a user."""
        share = min(100.0, 100 * number * 6 / rows + 0.02)
        found = self._run(
            "SELECT DISTINCT ON (user_id) user_id, id FROM plain.tasks_task TABLESAMPLE SYSTEM (%s)", [share]
        ).fetchall()
        yield from sorted(found, key=lambda row: row[1].int & 0xFFFFFFFF)

    def size(self, table: str) -> tuple[int, int, int]:
        """Bytes of the heap, of its indexes, and of the primary key alone."""
        heap, indexes, key = self._run(SIZES, [table]).fetchone() or (0, 0, 0)
        return int(heap), int(indexes), int(key)

    def send(self, table: str, user: str, sql: str, params: Any, prefix: str = "") -> Any:  # noqa: ANN401 (psycopg's)
        with acting_as(user):
            cursor = self.api[table].execute(prefix + for_table(table, sql), params)
            return cursor.fetchall() if cursor.description else []

    def _run(self, sql: str, params: Any = None) -> psycopg.Cursor[Any]:  # noqa: ANN401 (psycopg's)
        return self.owner.execute(sql.encode(), params)


def measure(bench: Bench, samples: Iterator[tuple[str, UUID]]) -> dict[tuple[str, str], tuple[float, float]]:
    """Milliseconds by operation and table: the best median and the best 99th percentile of the repetitions."""
    runs: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for _ in tqdm(range(REPETITIONS), unit="repetition", disable=not sys.stderr.isatty()):
        took: dict[tuple[str, str], list[float]] = defaultdict(list)
        for turn, (user, task) in enumerate(islice(samples, SAMPLES)):
            for name, operation in operations(user, task).items():
                sql, params = statement(operation)
                for table in list(bench.api)[:: 1 if turn % 2 else -1]:
                    started = time.perf_counter()
                    bench.send(table, user, sql, params)
                    took[name, table].append(1000 * (time.perf_counter() - started))
        for key, times in took.items():
            runs[key].append((median(times), quantiles(times, n=100)[98]))
    return {key: (min(m for m, _ in of), min(p for _, p in of)) for key, of in runs.items()}


def explain(bench: Bench, samples: Iterator[tuple[str, UUID]]) -> dict[tuple[str, str], tuple[float, int]]:
    """By operation and table: the pages touched (median), and of how many relations the plan reads or writes."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for user, task in islice(samples, EXPLAINED):
        for name, operation in operations(user, task).items():
            sql, params = statement(operation)
            for table in bench.api:
                ((answer,),) = bench.send(table, user, sql, params, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ")
                plan = answer[0]["Plan"]
                pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
                found[name, table].append((pages, len(set(_relations(plan)) - {"tasks_task"}) or 1))
    return {key: (median(p for p, _ in of), max(r for _, r in of)) for key, of in found.items()}


def _relations(plan: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in plan:
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from _relations(child)


def report(bench: Bench, millions: float) -> None:
    """Print sizes and times as docs/growth.md has them."""
    rows = millions * 1_000_000
    samples = bench.samples(REPETITIONS * SAMPLES + EXPLAINED, rows)
    explained = explain(bench, samples)
    times = measure(bench, samples)
    print(f"\n{millions:g} million rows, {bench.partitions} partitions; best of {REPETITIONS} times {SAMPLES}\n")
    for table in bench.api:
        heap, indexes, key = (size / rows for size in bench.size(table))
        print(f"{table}: {heap:.0f} bytes of heap and {indexes:.0f} of indexes ({key:.0f} the key) a row")
    print(
        "\n| operation | table | median | p99 | pages | partitions | against one table |\n|---|---|---|---|---|---|---|"
    )
    for (name, table), (p50, p99) in times.items():
        pages, partitions = explained[name, table]
        ratio = p50 / times[name, "plain"][0]
        print(f"| {name} | {table} | {p50:.2f} ms | {p99:.2f} ms | {pages:.0f} | {partitions} | {ratio:.2f} |")


def session(role: str, name: str = DATABASE, **options: Any) -> psycopg.Connection[Any]:  # noqa: ANN401 (libpq's)
    """Connect to the embedded PostgreSQL, started if need be."""
    server = embedded.url(role=role).rpartition("/")[0]
    return psycopg.connect(f"{server}/{name}", autocommit=True, **options)


def api_session(table: str) -> psycopg.Connection[Any]:
    """Connect as the API does, to the one table or to the other."""
    options = f"-c synchronous_commit=off -c search_path={table}"
    return session(API_ROLE, cursor_factory=Cursor, options=options)


@contextmanager
def database(partitions: int) -> Iterator[Bench]:
    """Make `growth`, with roles and tables by the command that makes them everywhere; drop it in the end."""
    with session(OWNER_ROLE, "tasks") as outside:
        outside.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        outside.execute(f"CREATE DATABASE {DATABASE}")
        for alias in connections:
            connections[alias].settings_dict["NAME"] = DATABASE
        call_command("migrate", verbosity=0)
        try:
            with (
                session(OWNER_ROLE, options="-c maintenance_work_mem=512MB") as owner,
                ExitStack() as sessions,
            ):
                api = {table: sessions.enter_context(api_session(table)) for table in TABLES[: 2 if partitions else 1]}
                yield Bench(owner, api, partitions)
        finally:
            connections.close_all()
            outside.execute(f"DROP DATABASE {DATABASE}")


def main() -> None:
    """Fill, measure and print, once for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1], help="rows of the table, one run each")
    parser.add_argument("--partitions", type=int, default=64)
    given = parser.parse_args()
    for millions in given.millions:
        with database(given.partitions) as bench:
            bench.prepare()
            bench.fill(millions)
            report(bench, millions)


if __name__ == "__main__":
    main()
