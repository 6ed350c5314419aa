"""The environment of the tests, set before Django reads its settings (a pytest plugin, named in pyproject.toml).

Every variable the service knows is set here, so that neither the shell nor `.env` has a say.
"""

import os

from config import embedded
from config.environment import Environment

SECRET = "the-tests-own-secret-of-more-than-32-bytes"

_values = {
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or embedded.url(),
    "BETTER_AUTH_SECRET": SECRET,
    "SECRET_KEY": "the-tests-own-django-key-0123456789-abcdefghijklmnopqrstuvwxyz",
    "LOG_FORMAT": "json",
    "WEB_CONCURRENCY": "2",
}
os.environ.update({name.upper(): _values.get(name.upper(), "") for name in Environment.model_fields})
