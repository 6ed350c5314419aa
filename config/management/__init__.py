"""What Django's own commands have in common here."""

from django.core.management.base import CommandParser


def over_operators_connection(parser: CommandParser) -> None:
    """Have the command use the operators' connection, and say so."""
    parser.set_defaults(database="operator")
    parser._option_string_actions["--database"].help = "the connection to use; default: %(default)s"
