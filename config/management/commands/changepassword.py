"""`changepassword`, over the operators' connection: the API's role may not see accounts."""

from django.contrib.auth.management.commands import changepassword
from django.core.management.base import CommandParser

from config.management import over_operators_connection


class Command(changepassword.Command):
    requires_migrations_checks = False  # Django would look on the API's connection, which may not see those either

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        over_operators_connection(parser)
