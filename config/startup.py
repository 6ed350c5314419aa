"""What both servers do once, before the first request."""

import io
from importlib import import_module

from django.conf import settings
from django.core.management import call_command


def prepare() -> None:
    """Refuse a configuration that cannot be right (SystemCheckError), and load what the first request would."""
    call_command("check", tags=["security"], stdout=io.StringIO())
    import_module(settings.ROOT_URLCONF)
