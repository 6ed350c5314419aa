"""System checks of a deployment (`manage.py check --deploy`)."""

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 (Django's own name)
from django.db import DEFAULT_DB_ALIAS, connection

from config.postgresql import roles

PLACEHOLDER = re.compile(r"replace|change-?_?me|example|placeholder|insecure|your-", re.IGNORECASE)


@register(Tags.security, deploy=True)
def check_database(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """E001: the embedded PostgreSQL is for local work."""
    if not settings.DATABASES["default"].get("EMBEDDED_ROLE"):
        return []
    hint = "Set DATABASE_URL to the connection string that Neon shows."
    return [Error("No database is configured; the embedded PostgreSQL is for local work.", hint=hint, id="config.E001")]


@register(Tags.security, deploy=True)
def check_reachable(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """E002: somebody outside this machine should be able to call the service."""
    if settings.DEPLOYED or settings.DEBUG:
        return []
    hint = "Set ALLOWED_HOSTS to the name that clients call, as in api.example.com."
    return [Error("The service answers to names of this machine only.", hint=hint, id="config.E002")]


@register(Tags.security, deploy=True)
def check_secret_key(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """E003: a key that documents show is no secret. Django's own W009 has an eye on its length."""
    if not PLACEHOLDER.search(settings.SECRET_KEY):
        return []
    hint = "Set SECRET_KEY to the output of: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
    return [Error("SECRET_KEY is a placeholder.", hint=hint, id="config.E003")]


@register(Tags.security, deploy=True)
def check_hosts(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """E004: a service that answers to any name lends it to whoever asks."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    hint = "Set ALLOWED_HOSTS to the names that clients call, as in api.example.com; probes are answered under any."
    return [Error("ALLOWED_HOSTS allows every host.", hint=hint, id="config.E004")]


@register(Tags.security, deploy=True)
def check_origins(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """W001: a front end that people use comes over TLS."""
    insecure = [origin for origin in settings.CORS_ALLOWED_ORIGINS if origin.startswith("http://")]
    if not insecure:
        return []
    hint = "Set CORS_ORIGINS to the https:// origins of the front ends."
    return [Warning(f"CORS_ORIGINS allows {', '.join(insecure)}.", hint=hint, id="config.W001")]


@register(Tags.database)
def check_row_security(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """W003: the API's role should be one that row-level security binds (`check --database default`)."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    with connection.cursor() as cursor:
        reason = roles.why_unbound(cursor)
    if reason is None:
        return []
    hint = "Run `manage.py create_roles`, put the URL it prints for the API's role into DATABASE_URL, and migrate."
    return [
        Warning(f"Row-level security does not bind the role of DATABASE_URL: {reason}.", hint=hint, id="config.W003")
    ]


@register(Tags.security, deploy=True)
def check_shared_counters(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """W002: a limit that each worker counts for itself is as many limits as there are workers."""
    workers = settings.ENVIRONMENT.web_concurrency
    if workers == 1 or settings.REDIS_URL or not settings.RATE_LIMIT:
        return []
    hint = "Set REDIS_URL to a Redis that all of them reach, as in redis://host:6379/0, or WEB_CONCURRENCY to 1."
    why = f"Each of the {workers} workers counts RATE_LIMIT for itself: up to {workers} times as many requests pass."
    return [Warning(why, hint=hint, id="config.W002")]
