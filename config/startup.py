"""What both servers do once, before the first request."""

import io
from importlib import import_module

from django.conf import settings
from django.core.management import call_command

from config import logging


def prepare() -> None:
    """Refuse a configuration that cannot be right (SystemCheckError), and load what the first request would."""
    call_command("check", tags=["security"], stdout=io.StringIO())
    import_module(settings.ROOT_URLCONF)
    logging.log_what_nobody_catches()  # from here on; why a start failed is for people to read
