"""The ASGI application, for uvicorn."""

import os

import django
from django.core.asgi import get_asgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()  # first, so that a bad environment is reported before anything else fails

from django.conf import settings

from config import startup, uvicorn
from config.body import bounded_asgi


def pool_connections() -> None:
    """Every request has a thread of its own here, so a connection kept by a thread would leak: pool them instead."""
    for parameters in connections.settings.values():
        parameters["CONN_MAX_AGE"] = 0
        parameters["OPTIONS"] |= {"pool": {"min_size": 0, "max_size": 8, "max_idle": 30, "timeout": 3}}


uvicorn.install()
pool_connections()
startup.prepare()
application = bounded_asgi(get_asgi_application(), settings.MAX_BODY_BYTES)
