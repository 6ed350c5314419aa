"""Connection settings, all of them from the URL: pooled, direct, or none for the embedded PostgreSQL."""

import re
from typing import Any

import dj_database_url
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

OWNER_ROLE, API_ROLE = "tasks_owner", "tasks_api"

_SHAPE = "must be a PostgreSQL URL: postgresql://user:password@host/database"
KEYWORDS = {option.keyword.decode() for option in Conninfo.get_defaults()}
_WORDS = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "channel_binding": ("disable", "prefer", "require"),
}
_NUMBERS = re.compile(r"connect_timeout|keepalives(_\w+)?|tcp_user_timeout")
# Neon's name for the PgBouncer in front of the endpoint ep-…, and the place where it would stand.
_POOLER = re.compile(r"^(\w+://(?:[^/]*@)?[^/@.:]+)-pooler(?=\.)")
_ENDPOINT = re.compile(r"^(\w+://(?:[^/]*@)?[^/@.:]+)(?=\.[^/]*\bneon\.tech\b)", re.IGNORECASE)


def check_url(url: str) -> str:
    """Return the URL. Raises ValueError, which never quotes it, if no connection could ever be made with it."""
    try:
        known = dj_database_url.parse(url)["ENGINE"] == "django.db.backends.postgresql" and conninfo_to_dict(url)
    except ValueError:
        known = False
    except psycopg.ProgrammingError as exc:
        unknown = re.search(r'query parameter: ("\w+")', str(exc))
        raise ValueError(f"PostgreSQL knows no parameter {unknown[1]}" if unknown else _SHAPE) from None
    if not known or not known.get("dbname"):
        raise ValueError(_SHAPE)
    if strange := set(dj_database_url.parse(url).get("OPTIONS", {})) - KEYWORDS:
        raise ValueError(f'PostgreSQL knows no parameter "{min(strange)}"')
    for name, value in known.items():
        if value not in _WORDS.get(name, [value]):
            raise ValueError(f"{name} must be one of {', '.join(_WORDS[name])}")
        if _NUMBERS.fullmatch(name) and not str(value).isdecimal():
            raise ValueError(f"{name} must be a whole number, as in {name}=5")
    if pooled(url) and re.search(r"(^|\s)-", str(known.get("options", ""))):
        raise ValueError("the pooler refuses settings in options=-c: they belong to the role (manage.py create_roles)")
    return url


def pooled(url: str) -> bool:
    """Whether the URL leads through Neon's pooler."""
    return bool(_POOLER.match(url))


def direct(url: str) -> str:
    """The URL past Neon's pooler; any other as it is."""
    return _POOLER.sub(r"\1", url)


def through_pooler(url: str) -> str:
    """The URL through Neon's pooler; any other as it is."""
    return _ENDPOINT.sub(r"\1-pooler", direct(url))


def connections(api_url: str | None, operator_url: str | None) -> dict[str, dict[str, Any]]:
    """Django's DATABASES: `default` serves the API; `operator` is for migrations, the admin and the commands.

    Without an operators' URL, theirs is the API's past the pooler: migrations need a session.
    """
    operator_url = direct(operator_url or api_url or "") or None
    return {
        "default": _connection(api_url, API_ROLE, "tasks-api") | {"ROW_SECURITY": True, "TEST": {"MIRROR": "operator"}},
        "operator": _connection(operator_url, OWNER_ROLE, "tasks-operator"),
    }


def _connection(url: str | None, embedded_role: str, application_name: str) -> dict[str, Any]:
    at: dict[str, Any] = dict(dj_database_url.parse(url)) if url else {"NAME": "tasks", "EMBEDDED_ROLE": embedded_role}
    options = {
        "application_name": application_name,
        "connect_timeout": 3,  # seconds, for each address of the host
        "tcp_user_timeout": 5000,  # milliseconds until packets that nobody confirms end the connection
    }
    if url and _ENDPOINT.match(url):
        options["sslmode"] = "require"
    return at | {
        "ENGINE": "config.postgresql",
        "OPTIONS": options | at.get("OPTIONS", {}),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # a pooler in transaction mode forgets them between statements
    }
