"""System checks of a deployment (`manage.py check --deploy`)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 (Django's own name)
from django.db import DEFAULT_DB_ALIAS, connection

from config.postgresql import roles

PLACEHOLDER = re.compile(r"replace|change-?_?me|example|placeholder|insecure|your-", re.IGNORECASE)


@register(Tags.security, deploy=True)
def check_reach(**_: Any) -> Iterator[CheckMessage]:  # noqa: ANN401 (Django's)
    """E002, E004, W001: who is to call the service, and under which names."""
    if not (settings.DEPLOYED or settings.DEBUG):
        hint = "Set ALLOWED_HOSTS to the name that clients call, as in api.example.com."
        yield Error("The service answers to names of this machine only.", hint=hint, id="config.E002")
    if "*" in settings.ALLOWED_HOSTS:  # it would lend any name to whoever asks
        hint = "Set ALLOWED_HOSTS to the names that clients call, as in api.example.com; probes are answered under any."
        yield Error("ALLOWED_HOSTS allows every host.", hint=hint, id="config.E004")
    if insecure := [origin for origin in settings.CORS_ALLOWED_ORIGINS if origin.startswith("http://")]:
        hint = "Set CORS_ORIGINS to the https:// origins of the front ends."
        yield Warning(f"CORS_ORIGINS allows {', '.join(insecure)}.", hint=hint, id="config.W001")


@register(Tags.security, deploy=True)
def check_means(**_: Any) -> Iterator[CheckMessage]:  # noqa: ANN401 (Django's)
    """E001, E003, W002: what serves for local work does not serve others."""
    if settings.DATABASES["default"].get("EMBEDDED_ROLE"):
        hint = "Set DATABASE_URL to the connection string that Neon shows."
        yield Error(
            "No database is configured; the embedded PostgreSQL is for local work.", hint=hint, id="config.E001"
        )
    if PLACEHOLDER.search(settings.SECRET_KEY):  # Django's own W009 has an eye on its length
        hint = "Set SECRET_KEY to the output of: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        yield Error("SECRET_KEY is a placeholder.", hint=hint, id="config.E003")
    workers = settings.ENVIRONMENT.web_concurrency
    if workers > 1 and settings.RATE_LIMIT and not settings.REDIS_URL:
        hint = "Set REDIS_URL to a Redis that all of them reach, as in redis://host:6379/0, or WEB_CONCURRENCY to 1."
        why = (
            f"Each of the {workers} workers counts RATE_LIMIT for itself: up to {workers} times as many requests pass."
        )
        yield Warning(why, hint=hint, id="config.W002")


@register(Tags.database)
def check_row_security(databases: Sequence[str] | None = None, **_: Any) -> Iterator[CheckMessage]:  # noqa: ANN401 (Django's)
    """W003: the API's role should be one that row-level security binds (`check --database default`)."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return
    with connection.cursor() as cursor:
        reason = roles.why_unbound(cursor)
    if reason:
        hint = "Run `manage.py create_roles`, put the URL it prints for the API's role into DATABASE_URL, and migrate."
        why = f"Row-level security does not bind the role of DATABASE_URL: {reason}."
        yield Warning(why, hint=hint, id="config.W003")
