"""The environment of the tests, set before Django reads its settings (a pytest plugin, named in pyproject.toml).

Every variable the service knows is set here, so that neither the shell nor `.env` has a say.
"""

import hashlib
import os
import re
from urllib.parse import urlsplit

import psycopg
import pytest

from config import embedded
from config.environment import Environment

SECRET = "the-tests-own-secret-of-more-than-32-bytes"

OWNER_URL = os.environ.get("TEST_DATABASE_URL") or embedded.url()
# A role of the tests' own, so that nobody else's password changes on that server; conftest makes it.
API_ROLE = "tasks_api_tests"
API_PASSWORD = hashlib.sha256(f"{urlsplit(OWNER_URL).password}".encode()).hexdigest()
API_URL = re.sub(r"(?<=//)([^/@]*@)?", f"{API_ROLE}:{API_PASSWORD}@", OWNER_URL, count=1)

_values = {
    "DATABASE_URL": API_URL,
    "DATABASE_URL_UNPOOLED": OWNER_URL,
    "BETTER_AUTH_SECRET": SECRET,
    "SECRET_KEY": "the-tests-own-django-key-0123456789-abcdefghijklmnopqrstuvwxyz",
    "LOG_FORMAT": "json",
    "WEB_CONCURRENCY": "2",
}
os.environ.update({name.upper(): _values.get(name.upper(), "") for name in Environment.model_fields})


def pytest_configure() -> None:
    """Say once, and not in each test, that the server that was named cannot be reached."""
    if "TEST_DATABASE_URL" in os.environ:
        try:
            psycopg.connect(OWNER_URL, connect_timeout=5).close()
        except psycopg.Error as exc:
            raise pytest.UsageError(f"TEST_DATABASE_URL: {exc}") from None
