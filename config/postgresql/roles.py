"""The two roles: the owner, who migrates and operates, and the API's, which row-level security binds.

All of it can be done again, and writes only what differs.
"""

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg import sql

ONE_AT_A_TIME = 0x7A5C5  # two that change a role at once would trip over its row in the catalogue
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")

# On the roles and not on connections: a pooler in transaction mode passes on to others what a connection sets.
OWNER_SETTINGS = {"TimeZone": "UTC", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "1min"}
API_SETTINGS = {
    "TimeZone": "UTC",
    "lock_timeout": "3s",
    "statement_timeout": "4s",  # what a request waits for
    "idle_in_transaction_session_timeout": "10s",
    # A plan that is kept from when there were few tasks has to do when there are many: in the order of an index.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}


def prepare_owner(database: BaseDatabaseWrapper, role: str, password: str | None = None) -> None:
    """Make `role` the owner: of what it will create, and of our tables that the connecting role owns."""
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        _make(cursor, role, password, OWNER_SETTINGS)
        _run(cursor, "GRANT USAGE, CREATE ON SCHEMA public TO {}", role)
        if role != _one(cursor, "SELECT current_user"):
            _run(cursor, "GRANT {} TO CURRENT_USER", role)
            for table in _tables(cursor):
                if _one(cursor, f"SELECT relowner = current_user::regrole {_OF_TABLE}", table):
                    _run(cursor, "ALTER TABLE {} OWNER TO {}", table, role)
            for function in _owned_functions(cursor):
                cursor.execute(sql.SQL("ALTER FUNCTION {} OWNER TO {}").format(sql.SQL(function), sql.Identifier(role)))
            for table, policy in _policies_of_current_user(cursor):
                _run(cursor, "ALTER POLICY {} ON {} TO {}", policy, table, role)


def prepare_api(database: BaseDatabaseWrapper, role: str, password: str | None = None) -> None:
    """Make `role` the API's: it logs in, is bound by row-level security, and gives up when a request does."""
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        _make(cursor, role, password, API_SETTINGS)
        _run(cursor, "GRANT USAGE ON SCHEMA public TO {}", role)
        admit(cursor, role)


def admit(cursor: CursorWrapper, role: str) -> None:
    """Let `role` read and write the tables of tasks, and no others."""
    for table in _tables(cursor, "tasks"):
        if missing := lacking(cursor, role, table):
            _run(cursor, f"GRANT {', '.join(missing)} ON {{}} TO {{}}", table, role)


def lacking(cursor: CursorWrapper, role: str, table: str) -> list[str]:
    """What the API does with its tables, and `role` may not do with this one."""
    has = "SELECT has_table_privilege(%s, %s, %s)"
    return [right for right in RIGHTS if not _one(cursor, has, role, table, right)]


def exists(cursor: CursorWrapper, role: str) -> bool:
    """Whether there is such a role."""
    return bool(_one(cursor, "SELECT count(*) FROM pg_roles WHERE rolname = %s", role))


def is_superuser(cursor: CursorWrapper, role: str) -> bool:
    """Whether there is such a role, and nothing binds it."""
    return bool(_one(cursor, "SELECT rolsuper FROM pg_roles WHERE rolname = %s", role))


def why_unbound(cursor: CursorWrapper, role: str | None = None) -> str | None:
    """Say why row-level security does not bind the role, or the connected one; None if it does."""
    role = role or _one(cursor, "SELECT current_user")
    cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", [role])
    superuser, bypasses = cursor.fetchone()
    if superuser:
        return "it is a superuser"
    if bypasses:
        return "it has BYPASSRLS"
    for table in _tables(cursor, "tasks"):
        if _one(cursor, f"SELECT pg_has_role(%s, relowner, 'MEMBER') {_OF_TABLE}", role, table):
            return f"it owns {table}"
        if not _one(cursor, f"SELECT relrowsecurity AND relforcerowsecurity {_OF_TABLE}", table):
            return f"{table} has no forced row-level security"
    return None


_OF_TABLE = "FROM pg_class WHERE oid = %s::regclass"


def _make(cursor: CursorWrapper, role: str, password: str | None, settings: Mapping[str, str]) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
    if not exists(cursor, role):
        _run(cursor, "CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE", role)
    for attribute in _too_mighty(cursor, role):
        _run(cursor, f"ALTER ROLE {{}} NO{attribute}", role)
    if password is not None:  # in the clear, as Neon requires: it keeps the role in step with its console
        cursor.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), password))
    current = _one(cursor, "SELECT coalesce(rolconfig, '{}') FROM pg_roles WHERE rolname = %s", role)
    for name, value in settings.items():
        if f"{name}={value}" not in current:
            cursor.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(role), sql.SQL(name), value))


def _too_mighty(cursor: CursorWrapper, role: str) -> list[str]:
    """What a role has that neither of ours needs, and what would lead past row-level security; never our own."""
    cursor.execute(
        "SELECT unnest(ARRAY['SUPERUSER', 'BYPASSRLS', 'CREATEROLE', 'CREATEDB']),"
        " unnest(ARRAY[rolsuper, rolbypassrls, rolcreaterole, rolcreatedb])"
        " FROM pg_roles WHERE rolname = %s AND rolname <> current_user",
        [role],
    )
    return [attribute for attribute, has in cursor.fetchall() if has]


def _tables(cursor: CursorWrapper, app_label: str | None = None) -> list[str]:
    """The existing tables of an app; without one, of all apps and of Django's migrations."""
    holder = apps if app_label is None else apps.get_app_config(app_label)
    wanted = [model._meta.db_table for model in holder.get_models(include_auto_created=True)]
    if app_label is None:
        wanted.append("django_migrations")
    cursor.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL", [wanted])
    return [name for (name,) in cursor.fetchall()]


def _owned_functions(cursor: CursorWrapper) -> list[str]:
    """Those of our triggers, some of which work with the rights of their owner."""
    cursor.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE 'task\\_%'"
        " AND proowner = current_user::regrole AND pronamespace = current_schema::regnamespace"
    )
    return [function for (function,) in cursor.fetchall()]


def _policies_of_current_user(cursor: CursorWrapper) -> list[tuple[str, str]]:
    cursor.execute(
        "SELECT tablename, policyname FROM pg_policies WHERE schemaname = current_schema AND current_user = ANY (roles)"
    )
    return [(table, policy) for table, policy in cursor.fetchall()]


def _one(cursor: CursorWrapper, query: str, *params: str) -> Any:  # noqa: ANN401 (the column's type)
    cursor.execute(query, params)
    row = cursor.fetchone()
    return row and row[0]


def _run(cursor: CursorWrapper, statement: str, *identifiers: str) -> None:
    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, identifiers)))
