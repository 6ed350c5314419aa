"""The databases: one for each system, with tables as its engineer makes them and the same rows in all.

They are in an embedded PostgreSQL of the bench's own, which is gone when the bench ends.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bench.systems import ENVIRONMENT, ROOT, System
from config import embedded

HOME = ROOT / "bench" / ".postgres"
USERS, PER_USER = 1000, 50
LARGE_USER, LARGE = "user-of-many", 100_000
API_ROLE = "tasks_api_bench"
# All tables in memory at once, as a service's are, and no checkpoint in the middle of one system's turn.
SETTINGS = "shared_buffers = 512MB\nmax_wal_size = 8GB\ncheckpoint_timeout = 1h\n"
COLUMNS = 'id, user_id, text, completed, "order", created_at, updated_at, completed_at'
Connection = psycopg.Connection[tuple[Any, ...]]

# A task every ten seconds up to an hour ago, whose owner is any of the users.
FILL = """
CREATE TABLE rows AS
SELECT uuidv7(at - now()) AS id, owner AS user_id, 'Buy groceries, number ' || n AS text, done AS completed,
       (n %% 100)::integer AS "order", at AS created_at, at AS updated_at, CASE WHEN done THEN at END AS completed_at
FROM generate_series(1, %(small)s + %(large)s) AS n, LATERAL (
    SELECT CASE WHEN n <= %(small)s THEN 'user-' || n %% %(users)s ELSE %(large_user)s END AS owner, n %% 5 < 2 AS done,
           date_trunc('hour', now()) - interval '1 hour' - n * interval '10.000001 seconds' AS at
) AS derived
"""


@dataclass(frozen=True)
class Database:
    """One system's; what its writes did can be undone."""

    system: System
    owner: Connection
    urls: Mapping[str, str]  # by the name of their variable

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier(self.system.table)

    def run(self, statement: str) -> psycopg.Cursor[tuple[Any, ...]]:
        return self.owner.execute(sql.SQL(statement).format(table=self._table))

    def fill(self, rows: Connection) -> None:
        self.run(f"CREATE TABLE pristine AS SELECT {COLUMNS} FROM {{table}}")
        with (
            rows.cursor().copy(f"COPY rows ({COLUMNS}) TO STDOUT") as source,
            self.owner.cursor().copy("COPY pristine FROM STDIN") as target,
        ):
            for part in source:
                target.write(part)
        self.run("ANALYZE pristine")
        self.run("ALTER TABLE {table} SET (autovacuum_enabled = off)")  # none in the middle of one system's turn
        self.restore()
        self.run("ANALYZE {table}")

    def restore(self) -> None:
        """Take away what was added, and bring back what was deleted. Changed texts are left as they are."""
        self.run("DELETE FROM {table} AS t WHERE NOT EXISTS (SELECT FROM pristine AS p WHERE p.id = t.id)")
        self.run(
            f"INSERT INTO {{table}} ({COLUMNS}) SELECT * FROM pristine AS p"
            " WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE t.id = p.id)"
        )
        self.run("VACUUM {table}")


def url(name: str) -> str:
    return f"{embedded.url(HOME).rpartition('/')[0]}/{name}"


def port() -> int:
    return urlsplit(embedded.url(HOME)).port or 0


def postmaster() -> int:
    """The process id of the server."""
    return int((HOME / "data" / "postmaster.pid").read_text().partition("\n")[0])


@contextmanager
def server() -> Iterator[Connection]:
    """A new PostgreSQL, and the rows that every database gets; nothing is left of it."""
    _remove()
    try:
        _configure()
        with psycopg.connect(embedded.url(HOME), autocommit=True) as rows:
            values = {"users": USERS, "small": USERS * PER_USER, "large": LARGE, "large_user": LARGE_USER}
            with psycopg.ClientCursor(rows) as cursor:
                cursor.execute(FILL, values)
            yield rows
    finally:
        _remove()


def _configure() -> None:
    embedded.url(HOME)
    (HOME / "data" / "postgresql.auto.conf").write_text(SETTINGS)
    embedded.release(HOME)


def _remove() -> None:
    embedded.release(HOME)
    while HOME.exists():
        with suppress(OSError):  # its keeper, about to end, has just made a lock there
            shutil.rmtree(HOME)


@contextmanager
def databases(rows: Connection, systems: list[System]) -> Iterator[dict[str, Database]]:
    """Make and fill them; by name, since ours share one."""
    made: dict[str, Database] = {}
    try:
        for system in systems:
            if system.database not in made:
                rows.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(system.database)))
                urls = _make_tables(system)
                owner = psycopg.connect(url(system.database), autocommit=True)
                made[system.database] = Database(system, owner, urls)
                made[system.database].fill(rows)
        yield made
    finally:
        for database in made.values():
            database.owner.close()


def _make_tables(system: System) -> dict[str, str]:
    """As the system itself makes them. Return what it connects with."""
    urls = {"DATABASE_URL": url(system.database)}
    if system.database == "ours":
        urls["DATABASE_URL_UNPOOLED"] = urls["DATABASE_URL"]
        printed = _run(system, urls, ["manage.py", "create_roles", "--api", API_ROLE, "--new-passwords"])
        urls |= dict(line.split("=", 1) for line in printed.splitlines() if line.startswith("DATABASE_URL="))
        _run(system, urls, ["manage.py", "migrate", "--verbosity", "0"])
    elif system.schema:
        _run(system, urls, ["-m", *system.schema])
    else:
        with psycopg.connect(urls["DATABASE_URL"]) as owner:
            owner.execute((ROOT / "bench" / "peers" / "limit.sql").read_bytes())
    return urls


def _run(system: System, urls: dict[str, str], arguments: list[str]) -> str:
    environment = {**ENVIRONMENT, **system.environment, **urls}
    command = [system.python, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{system.name}: {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout
