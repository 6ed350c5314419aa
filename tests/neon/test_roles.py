"""`create_roles` on a server like Neon's, whose first role bypasses row-level security."""

import io
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg import sql
from pytest_django import Settings

from config import databases
from config.management.commands import migrate
from config.postgresql.roles import exists, prepare_api, why_unbound
from tests.environment import API_ROLE
from tests.neon.conftest import Database, created
from tests.parts import PostgreSQL
from tests.parts.address import relocate


@pytest.fixture(scope="module")
def neon() -> Iterator[Database]:
    """With `neondb_owner`, as Neon's console makes it, and its database."""
    with PostgreSQL() as server:
        server.as_superuser(
            "DROP DATABASE tasks",
            "DROP ROLE tasks_owner",  # the launcher's, who is to be made anew
            "CREATE ROLE neondb_owner LOGIN CREATEDB CREATEROLE BYPASSRLS PASSWORD 'npg_secret'",
            "CREATE DATABASE neondb OWNER neondb_owner",
        )
        url = relocate("postgresql://neondb_owner:npg_secret@neon/neondb", server.address)
        yield Database(server, url, url)


def _ask(url: str, query: str, *params: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as session:
        return session.execute(query, params or None).fetchall()


@pytest.fixture(scope="module")
def roles(neon: Database) -> Database:
    """First everything as neondb_owner, as many begin; then the roles."""
    assert neon.manage("migrate").returncode == 0
    made = neon.manage("create_roles")
    assert made.returncode == 0, made.stderr
    urls = created(made.stdout)
    return Database(neon.server, urls["DATABASE_URL_UNPOOLED"], urls["DATABASE_URL"])


def test_tables_and_policies_are_handed_to_the_owner(roles: Database) -> None:
    owners = _ask(roles.owner_url, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [("tasks_owner",)]
    policies = _ask(roles.owner_url, "SELECT policyname, roles::text[] FROM pg_policies ORDER BY policyname")
    assert policies == [
        ("idempotency_key_operators", ["tasks_owner"]),
        ("idempotency_key_own_rows", ["public"]),
        ("task_operators", ["tasks_owner"]),
        ("task_own_rows", ["public"]),
        ("tombstone_erase_own", ["public"]),
        ("tombstone_operators", ["tasks_owner"]),
        ("tombstone_own_rows", ["public"]),
    ]
    functions = "SELECT DISTINCT proowner::regrole::text FROM pg_proc WHERE proname LIKE 'task%'"
    assert _ask(roles.owner_url, functions) == [("tasks_owner",)]


def test_api_role_is_bound_and_gives_up_when_a_request_does(roles: Database) -> None:
    attributes = "rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin"
    assert _ask(roles.api_url, f"SELECT {attributes} FROM pg_roles WHERE rolname = current_user") == [
        (False, False, False, False, True)
    ]
    for setting, value in {
        "TimeZone": "UTC",
        "statement_timeout": "4s",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "10s",
    }.items():
        assert _ask(roles.api_url, "SELECT current_setting(%s)", setting) == [(value,)]


@pytest.mark.django_db(databases=["operator"])
def test_role_that_may_too_much_gives_it_up() -> None:
    operator = connections["operator"]
    with operator.cursor() as cursor:
        cursor.execute("CREATE ROLE mighty CREATEROLE CREATEDB")
        prepare_api(operator, "mighty")
        cursor.execute("SELECT rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = 'mighty'")
        assert cursor.fetchone() == (False,)


@pytest.mark.django_db(databases=["operator"])
def test_superuser_is_not_bound() -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE oid = 10")  # of initdb
        assert why_unbound(cursor, *cursor.fetchone()) == "it is a superuser"


@pytest.mark.django_db(databases=["operator"])
def test_table_that_does_not_force_row_level_security_binds_nobody() -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_task NO FORCE ROW LEVEL SECURITY")
        assert why_unbound(cursor, API_ROLE) == "tasks_task has no forced row-level security"


@pytest.mark.parametrize(
    ("owner", "api"), [("one", "one"), ("tasks_api", "tasks_owner"), ("tasks_api", "other"), ("other", "tasks_owner")]
)
def test_one_role_is_not_for_both(owner: str, api: str) -> None:
    with pytest.raises(CommandError, match=f"--owner {owner} --api {api}: the one owns") as refused:
        call_command("create_roles", "--owner", owner, "--api", api)
    assert refused.value.returncode == 2


@pytest.mark.django_db(databases=["operator"])
def test_superuser_is_left_as_it_is() -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE oid = 10")  # of initdb
        (superuser,) = cursor.fetchone()
    with pytest.raises(CommandError, match="is a superuser"):
        call_command("create_roles", "--owner", superuser)


@pytest.mark.django_db(databases=["operator"])
def test_roles_are_not_made_of_the_one_that_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "OWNER_ROLE", "another")
    connects = connections["operator"].settings_dict["USER"]
    with pytest.raises(CommandError, match="the API needs one of its own"):
        call_command("create_roles", "--owner", "another", "--api", connects)


@pytest.mark.django_db(databases=["default", "operator"])
def test_migrate_makes_the_role_of_the_embedded_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections["operator"].settings_dict, "EMBEDDED_ROLE", "tasks_owner")
    monkeypatch.setattr(migrate, "API_ROLE", "tasks_api_embedded")
    call_command("migrate", verbosity=0)
    with connections["operator"].cursor() as cursor:
        assert exists(cursor, "tasks_api_embedded")


def test_roles_are_not_made_without_a_server(settings: Settings) -> None:
    nowhere = {"database_url": None, "database_url_unpooled": None}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=nowhere)
    with pytest.raises(CommandError, match="DATABASE_URL is not set"):
        call_command("create_roles")


def test_owner_sees_everything_and_the_api_nothing(roles: Database) -> None:
    with psycopg.connect(roles.owner_url, autocommit=True) as owner:
        owner.execute("INSERT INTO tasks_task (id, user_id, text) VALUES (gen_random_uuid(), 'alice', 'a')")
    assert _ask(roles.owner_url, "SELECT user_id FROM tasks_task") == [("alice",)]
    assert _ask(roles.api_url, "SELECT user_id FROM tasks_task") == []


def test_owner_migrates(roles: Database) -> None:
    for target in (["tasks", "zero"], []):
        migrated = roles.manage("migrate", *target)
        assert migrated.returncode == 0, migrated.stderr
    rights = sql.SQL("SELECT has_table_privilege('tasks_task', {})")
    for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        with psycopg.connect(roles.api_url) as session:
            assert session.execute(rights.format(right)).fetchall() == [(True,)], "migrate gave it back"


def test_again_changes_nothing(neon: Database, roles: Database) -> None:
    state = (
        "SELECT rolname, rolconfig, (SELECT count(*) FROM pg_auth_members WHERE roleid = pg_roles.oid) FROM pg_roles"
        " WHERE rolname LIKE 'tasks%' ORDER BY rolname"
    )
    before = _ask(roles.owner_url, state)
    again = neon.manage("create_roles")
    assert (again.returncode, again.stdout) == (0, "")
    assert "its password is as it was" in again.stderr
    assert _ask(roles.owner_url, state) == before, "and the passwords still work"


def test_new_passwords_replace_the_old(neon: Database, roles: Database) -> None:
    made = neon.manage("create_roles", "--api", "tasks_api_two")
    first = created(made.stdout)["DATABASE_URL"]
    second = created(neon.manage("create_roles", "--api", "tasks_api_two", "--new-passwords").stdout)
    assert _ask(second["DATABASE_URL"], "SELECT current_user") == [("tasks_api_two",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(first)
    owner = neon.manage("create_roles", "--new-passwords")  # for the tests that follow, in whatever order
    assert owner.returncode == 0
    urls = created(owner.stdout)
    object.__setattr__(roles, "owner_url", urls["DATABASE_URL_UNPOOLED"])
    object.__setattr__(roles, "api_url", urls["DATABASE_URL"])


@pytest.mark.usefixtures("roles")
def test_password_of_a_file_is_taken_and_not_printed(neon: Database, tmp_path: Path) -> None:
    file = tmp_path / "password"
    for password in ("chosen-elsewhere", "and-another-day"):
        file.write_text(f"{password}\n")
        made = neon.manage("create_roles", "--api", "tasks_api_three", "--api-password-file", str(file))
        assert (made.returncode, made.stdout) == (0, "")
        assert password not in made.stderr
        url = neon.api_url.replace("neondb_owner:npg_secret", f"tasks_api_three:{password}")
        assert _ask(url, "SELECT current_user") == [("tasks_api_three",)]


def test_empty_password_file_is_refused(neon: Database, tmp_path: Path) -> None:
    empty = tmp_path / "password"
    empty.touch()
    for file, reason in ((empty, "is empty"), (tmp_path / "none", "No such file")):
        refused = neon.manage("create_roles", "--api-password-file", str(file))
        assert refused.returncode == 2
        assert reason in refused.stderr


def test_role_without_createrole_is_told(roles: Database) -> None:
    refused = roles.manage("create_roles", "--api", "another", owner_url=roles.api_url)
    assert refused.returncode == 1
    assert "The roles could not be made: permission denied" in refused.stderr


def test_check_says_who_is_not_bound(neon: Database, roles: Database) -> None:
    check = ("check", "--database", "default", "--fail-level", "WARNING")
    assert roles.manage(*check).returncode == 0
    refused = roles.manage(*check, api_url=neon.api_url)
    assert refused.returncode == 1
    why = "(config.W003) Row-level security does not bind the role of DATABASE_URL: it has BYPASSRLS."
    assert why in refused.stderr
    assert "manage.py create_roles" in refused.stderr


@pytest.mark.django_db(databases=["default", "operator"])
@pytest.mark.parametrize("named", [True, False], ids=["of the URL", "of a URL without one"])
def test_role_that_is_not_bound_is_named_by_migrate(named: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    owner, err = connections["operator"].settings_dict["USER"], io.StringIO()
    monkeypatch.setitem(connections["default"].settings_dict, "USER", owner if named else "")
    call_command("migrate", verbosity=0, stderr=err)
    why = f"Row-level security does not bind {owner}: it owns tasks_task."
    assert err.getvalue() == f"{why} Run manage.py create_roles (config.W003).\n"


@pytest.mark.django_db(databases=["default", "operator"])
def test_migrate_fails_without_the_role_that_it_is_to_admit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "USER", "nobody_yet")
    with pytest.raises(CommandError, match="DATABASE_URL names the role nobody_yet, which is not there"):
        call_command("migrate", verbosity=0)
