"""Both connections to the database: there, the same, near, safe, up to date, and allowed what the API does."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from authjwt.rules import LEEWAY
from config.doctor.findings import Finding, State
from config.postgresql import roles
from tasks.models import Task

VARIABLES = {"default": "DATABASE_URL", "operator": "DATABASE_URL_UNPOOLED"}
OLDEST_VERSION = 14  # that Django 5.2 works with
FAR_MS = 20  # each request makes one round trip or more
CLOCK_WARN, CLOCK_FAIL = 2.0, LEEWAY  # seconds; beyond the second one good tokens are refused
LOCAL_HOSTS = {"", "localhost", "127.0.0.1", "::1"}


@contextmanager
def _connected(alias: str) -> Iterator[BaseDatabaseWrapper]:
    """This thread's connection, that is, this check's own; closed in the end."""
    connection = connections[alias]
    try:
        connection.ensure_connection()
        yield connection
    finally:
        connection.close()


def _ask(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[str] = ()) -> Any:  # noqa: ANN401 (a row)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()


def api_database() -> Iterator[Finding]:
    """The connection that serves requests."""
    return _connection("default", "api database")


def operator_database() -> Iterator[Finding]:
    """The connection of migrations, the admin and the commands."""
    return _connection("operator", "operator database")


def _connection(alias: str, name: str) -> Iterator[Finding]:
    try:
        with _connected(alias) as connection:
            yield _reached(name, connection)
            yield _encrypted(name, connection)
            if alias == "operator":
                yield _direct(name, connection)
            yield _clock(name, connection)
    except Error as exc:
        advice = f"Is {VARIABLES[alias]} what the database's console shows, and is the database on?"
        yield Finding(name, State.FAIL, f"cannot be reached: {' '.join(str(exc).split())}", advice)


def _reached(name: str, connection: BaseDatabaseWrapper) -> Finding:
    version, role = _ask(connection, "SELECT current_setting('server_version'), current_user")
    trips = []
    for _ in range(5):
        started = time.perf_counter()
        _ask(connection, "SELECT 1")
        trips.append((time.perf_counter() - started) * 1000)
    message = f"PostgreSQL {version.split()[0]}, {min(trips):.1f} ms away, as {role}"
    if int(version.split(".")[0]) < OLDEST_VERSION:
        return Finding(name, State.FAIL, message, f"Use PostgreSQL {OLDEST_VERSION} or later.")
    if min(trips) > FAR_MS:
        return Finding(name, State.WARN, message, "Run the service in the region of the database.")
    return Finding(name, State.OK, message)


def _host(connection: BaseDatabaseWrapper) -> str:
    return str(connection.settings_dict["HOST"] or "")


def _encrypted(name: str, connection: BaseDatabaseWrapper) -> Finding:
    name = f"{name}: TLS"
    link: psycopg.Connection[Any] = connection.connection
    if link.pgconn.ssl_in_use:  # pragma: no cover (no PostgreSQL of the tests speaks TLS)
        return Finding(name, State.OK, "in use")
    if _host(connection) in LOCAL_HOSTS or _host(connection).startswith("/"):
        return Finding(name, State.SKIP, "the database is on this machine")
    if connection.settings_dict["OPTIONS"].get("sslmode") == "disable":
        advice = "Set sslmode=require, unless nobody else is on the way."
        return Finding(name, State.WARN, "not in use, as sslmode=disable says", advice)
    return Finding(
        name, State.FAIL, "not in use: everybody on the way can read along", "Add sslmode=require to the URL."
    )


def _direct(name: str, connection: BaseDatabaseWrapper) -> Finding:
    name = f"{name}: direct"
    if "-pooler." in _host(connection):
        advice = "Set DATABASE_URL_UNPOOLED to the direct connection string, without -pooler in its host."
        return Finding(name, State.WARN, "it goes through the pooler, which migrations do without", advice)
    return Finding(name, State.OK, "it does not go through Neon's pooler")


def _clock(name: str, connection: BaseDatabaseWrapper) -> Finding:
    before = time.time()
    (theirs,) = _ask(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
    return clock(f"{name}: clock", theirs - (before + time.time()) / 2, "the database's")


def clock(name: str, ahead: float, whose: str) -> Finding:
    """Judge by how many seconds another clock is ahead of this machine's."""
    message = f"{whose} is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) < CLOCK_WARN:
        return Finding(name, State.OK, message)
    state = State.FAIL if abs(ahead) >= CLOCK_FAIL else State.WARN
    return Finding(name, state, message, "Synchronise this machine's clock (NTP): tokens are judged by it.")


def same_database() -> Iterator[Finding]:
    """What operators do has to be seen by users."""
    sql = (
        "SELECT oid, current_database(), pg_postmaster_start_time(), pg_is_in_recovery()"
        " FROM pg_database WHERE datname = current_database()"
    )
    try:
        with _connected("default") as default, _connected("operator") as operator:
            ours, theirs = _ask(default, sql), _ask(operator, sql)
    except Error:
        yield Finding("same database", State.SKIP, "needs both connections")
        return
    if ours != theirs:
        advice = "Make DATABASE_URL and DATABASE_URL_UNPOOLED lead to the same branch and database."
        yield Finding("same database", State.FAIL, "the API and the operators have different ones", advice)
    elif ours[3]:
        yield Finding("same database", State.FAIL, "it is a read-only replica", "Connect to the primary.")
    else:
        yield Finding("same database", State.OK, f"both lead to {ours[1]}")


def migrations() -> Iterator[Finding]:
    """The tables are those of this version."""
    try:
        with _connected("operator") as connection:
            executor = MigrationExecutor(connection)
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        yield Finding("migrations", State.SKIP, "needs the operators' connection")
        return
    if missing:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""  # noqa: PLR2004 (as many as are named)
        yield Finding("migrations", State.FAIL, f"not applied: {names}{more}", "Run manage.py migrate.")
    else:
        yield Finding("migrations", State.OK, "all are applied")


def rights() -> Iterator[Finding]:
    """The API's role may do what the API does."""
    table = Task._meta.db_table
    try:
        with _connected("default") as connection, connection.cursor() as cursor:
            exists, role = _ask(connection, "SELECT to_regclass(%s) IS NOT NULL, current_user", [table])
            lacking = roles.lacking(cursor, role, table) if exists else []
    except Error:
        yield Finding("rights", State.SKIP, "needs the API's connection")
        return
    if not exists:
        yield Finding("rights", State.FAIL, f"{role} sees no table {table}", "Run manage.py migrate.")
    elif lacking:
        advice = f"Run manage.py migrate, which grants what {role} lacks."
        yield Finding("rights", State.FAIL, f"{role} may not {', '.join(lacking)} on {table}", advice)
    else:
        yield Finding("rights", State.OK, f"{role} may {', '.join(roles.RIGHTS)} on {table}")


def row_security() -> Iterator[Finding]:
    """Row-level security binds the API's role."""
    name = "row-level security"
    try:
        with _connected("default") as connection, connection.cursor() as cursor:
            reason = roles.why_unbound(cursor)
    except Error:
        yield Finding(name, State.SKIP, "needs the API's connection")
        return
    if reason:
        advice = "Run manage.py create_roles and put the URL it prints for the API's role into DATABASE_URL."
        yield Finding(name, State.WARN, f"it does not bind the role of DATABASE_URL: {reason}", advice)
    else:
        yield Finding(name, State.OK, "it binds the API's role")


CHECKS = (api_database, operator_database, same_database, migrations, rights, row_security)
