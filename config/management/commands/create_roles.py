"""Make the owner's role and the API's, on Neon and elsewhere."""

import re
import secrets
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections
from django.db.backends.utils import CursorWrapper

from config import databases
from config.postgresql import roles


class Command(BaseCommand):
    help = (
        "Make the role that owns the tables and the role that row-level security binds, and print their URLs. "
        "Connects with DATABASE_URL_UNPOOLED, or DATABASE_URL past the pooler, whose role needs CREATEROLE "
        "(Neon's neondb_owner has it). Running it again changes nothing that is right."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--owner", default=databases.OWNER_ROLE, help="default: %(default)s")
        parser.add_argument("--api", default=databases.API_ROLE, help="default: %(default)s")
        parser.add_argument("--new-passwords", action="store_true", help="also for roles that are there already")
        for whose in ("owner", "api"):
            option = f"--{whose}-password-file"
            parser.add_argument(option, type=_password, metavar="FILE", help="take this password, and do not print it")

    def handle(self, *, owner: str, api: str, new_passwords: bool, **options: Any) -> None:  # noqa: ANN401 (Django's)
        if owner in {api, databases.API_ROLE} or api == databases.OWNER_ROLE:
            why = "the one owns the tables, the other is bound by row-level security"
            raise CommandError(f"--owner {owner} --api {api}: {why}.", returncode=2)
        url = settings.ENVIRONMENT.database_url_unpooled or settings.ENVIRONMENT.database_url
        if url is None:
            raise CommandError("DATABASE_URL is not set; `manage.py migrate` makes the embedded PostgreSQL's roles.")
        url = databases.direct(url)
        database = connections["operator"]
        given = {owner: options.get("owner_password_file"), api: options.get("api_password_file")}
        try:
            with database.cursor() as cursor:
                connected = cursor.connection.info.user
                _refuse_others(cursor, owner, api)
                made = {
                    role: secrets.token_urlsafe(32)
                    for role, password in given.items()
                    if not password and role != connected and (new_passwords or not roles.exists(cursor, role))
                }
            roles.prepare_owner(database, owner, given[owner] or made.get(owner))
            roles.prepare_api(database, api, given[api] or made.get(api))
        except DatabaseError as exc:
            raise CommandError(f"The roles could not be made: {exc}") from exc
        urls = {owner: ("DATABASE_URL_UNPOOLED", url), api: ("DATABASE_URL", databases.through_pooler(url))}
        for role in [role for role, password in given.items() if not password]:
            self._print(*urls[role], role, made.get(role))

    def _print(self, variable: str, url: str, role: str, password: str | None) -> None:
        if password is None:
            self.stderr.write(f"{role} was there: its password is as it was (--new-passwords makes one).")
        else:
            credentials = f"{quote(role, safe='')}:{password}@"
            self.stdout.write(f"{variable}={re.sub(r'(?<=//)([^/@]*@)?', lambda _: credentials, url, count=1)}")


def _refuse_others(cursor: CursorWrapper, owner: str, api: str) -> None:
    if api == cursor.connection.info.user:
        raise CommandError(f"{api} is the role that connects here; the API needs one of its own.")
    if roles.is_superuser(cursor, owner):
        raise CommandError(f"{owner} is a superuser; the tables need an owner of their own.")


def _password(file: str) -> str:
    """What the file holds, without the white space around it."""
    try:
        password = Path(file).read_text().strip()
    except OSError as exc:
        raise ArgumentTypeError(f"{file}: {exc.strerror}") from None
    if not password:
        raise ArgumentTypeError(f"{file} is empty")
    return password
