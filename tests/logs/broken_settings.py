"""The service with things in it that break: its settings, for a live server."""

from config.settings import *  # noqa: F403, TID251 (all of them, and two changed)
from config.settings import MIDDLEWARE  # noqa: TID251 (these are the settings)

MIDDLEWARE = [*MIDDLEWARE, "tests.logs.broken.middleware"]
ROOT_URLCONF = "tests.logs.broken"
