"""What Django's own commands have in common here."""

from django.core.management.base import BaseCommand, CommandParser


class OverOperatorsConnection(BaseCommand):
    """The API's role may see neither accounts nor which migrations were applied."""

    requires_migrations_checks = False  # Django would look on the API's connection

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="operator")
        parser._option_string_actions["--database"].help = "the connection to use; default: %(default)s"
