"""The ASGI application, for uvicorn."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connections

from config import startup
from config.body import bounded_asgi


def pool_connections() -> None:
    """Every request has a thread of its own here, so a connection kept by a thread would leak: pool them instead."""
    for parameters in connections.settings.values():
        parameters["CONN_MAX_AGE"] = 0
        parameters["OPTIONS"] |= {"pool": {"min_size": 0, "max_size": 8, "max_idle": 30, "timeout": 3}}


pool_connections()
django_application = get_asgi_application()
startup.prepare()
application = bounded_asgi(django_application, settings.MAX_BODY_BYTES)
