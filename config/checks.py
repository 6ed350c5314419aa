"""System checks of a deployment (`manage.py check --deploy`)."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 (Django's own name)


@register(Tags.database, deploy=True)
def check_database(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """E001: the embedded PostgreSQL is for local work."""
    if not settings.DATABASES["default"].get("EMBEDDED"):
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
def check_origins(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's)
    """W001: a front end that people use comes over TLS."""
    insecure = [origin for origin in settings.CORS_ALLOWED_ORIGINS if origin.startswith("http://")]
    if not insecure:
        return []
    hint = "Set CORS_ORIGINS to the https:// origins of the front ends."
    return [Warning(f"CORS_ORIGINS allows {', '.join(insecure)}.", hint=hint, id="config.W001")]
