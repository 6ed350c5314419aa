"""`migrate`, over the operators' connection: it needs a session and the owner's rights."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import MigrationSchemaMissing
from psycopg.errors import InsufficientPrivilege, LockNotAvailable

from config.databases import API_ROLE
from config.management import OverOperatorsConnection
from config.postgresql import roles

LOCK_SECONDS = 2  # less than the API's statements wait (config.postgresql.roles), which queue behind a migration's
GAVE_WAY = "A transaction that is open held up the migration, which gave way to the API. Run manage.py migrate again."
NOT_THE_OWNER = (
    "The role that connects may not change the schema: set DATABASE_URL_UNPOOLED to the direct URL of the owner's role."
)


class Command(OverOperatorsConnection, migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 (Django's)
        """Migrate; then let the API's role, which is not the owner, work on what is new."""
        database = connections[options["database"]]
        with database.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        if database.settings_dict.get("EMBEDDED_ROLE"):
            roles.prepare_api(database, API_ROLE, password=database.settings_dict["PASSWORD"])
        try:
            super().handle(*args, **options)
        except DatabaseError as exc:
            failed = exc.__context__ if isinstance(exc, MigrationSchemaMissing) else exc
            cause = failed and failed.__cause__
            if isinstance(cause, LockNotAvailable):
                raise CommandError(f"{exc}. {GAVE_WAY}") from exc
            if isinstance(cause, InsufficientPrivilege):
                raise CommandError(NOT_THE_OWNER) from exc
            raise
        self._admit(database)

    def _admit(self, database: BaseDatabaseWrapper) -> None:
        api = connections[DEFAULT_DB_ALIAS].settings_dict
        with database.cursor() as cursor:
            api_role = api["USER"] or api.get("EMBEDDED_ROLE") or cursor.connection.info.user
            if not roles.exists(cursor, api_role):
                raise CommandError(
                    f"DATABASE_URL names the role {api_role}, which is not there: run manage.py create_roles."
                )
            if api_role != database.settings_dict["USER"]:
                roles.admit(cursor, api_role)
            if reason := roles.why_unbound(cursor, api_role):
                advice = "Run manage.py create_roles (config.W003)."
                self.stderr.write(f"Row-level security does not bind {api_role}: {reason}. {advice}")
