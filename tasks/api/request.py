"""A request as the operations see it."""

from django.http import HttpRequest

from authjwt.principal import Principal
from tasks.export import Ask


class AuthenticatedRequest(HttpRequest):
    """A request that passed the API's authentication."""

    auth: Principal


class AskingRequest(AuthenticatedRequest):
    """One whose operation asks the database itself, as the caller: while it answers, or later."""

    ask: Ask
