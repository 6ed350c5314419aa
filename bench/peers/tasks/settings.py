"""What both peers on Django set alike."""

import os
from urllib.parse import urlsplit

from bench.peers.logs import LOGGING

_at = urlsplit(os.environ["DATABASE_URL"])

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _at.path[1:],
        "USER": _at.username,
        "PASSWORD": _at.password,
        "HOST": _at.hostname,
        "PORT": _at.port,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
}
CORS_ALLOWED_ORIGINS = os.environ["CORS_ORIGINS"].split(",")
USE_TZ = True
TIME_ZONE = "UTC"
JWT_SECRET = os.environ["BETTER_AUTH_SECRET"]

__all__ = [
    "ALLOWED_HOSTS",
    "CORS_ALLOWED_ORIGINS",
    "DATABASES",
    "JWT_SECRET",
    "LOGGING",
    "SECRET_KEY",
    "TIME_ZONE",
    "USE_TZ",
]
