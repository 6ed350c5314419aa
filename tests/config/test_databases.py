"""Connection settings follow from the URL."""

import re

import pytest

from config import databases

HOST = "ep-cool-darkness-123456.eu-central-1.aws.neon.tech"
POOLED_HOST = HOST.replace("123456", "123456-pooler")
DIRECT = f"postgresql://alex:p-pooler.w@{HOST}/neondb?sslmode=require&channel_binding=require"
POOLED = DIRECT.replace(HOST, POOLED_HOST)
OTHER = "postgres://app:secret@db-pooler/tasks"


def test_operators_go_past_the_pooler() -> None:
    settings = databases.connections(POOLED, None)
    assert (settings["default"]["HOST"], settings["operator"]["HOST"]) == (POOLED_HOST, HOST)
    assert settings["operator"]["PASSWORD"] == "p-pooler.w"


def test_operators_take_their_own_url() -> None:
    assert databases.connections(POOLED, OTHER)["operator"]["HOST"] == "db-pooler"


def test_without_a_url_both_are_roles_of_the_embedded_server() -> None:
    settings = databases.connections(None, None)
    assert [settings[alias]["EMBEDDED_ROLE"] for alias in ("default", "operator")] == ["tasks_api", "tasks_owner"]


def test_what_the_url_says_is_honoured() -> None:
    options = databases.connections(f"{POOLED}&connect_timeout=2&application_name=mine", None)["default"]["OPTIONS"]
    assert (options["sslmode"], options["channel_binding"]) == ("require", "require")
    assert (options["connect_timeout"], options["application_name"]) == (2, "mine")


def test_neon_is_spoken_to_over_tls_only() -> None:
    bare = DIRECT.partition("?")[0]
    assert databases.connections(bare, None)["default"]["OPTIONS"]["sslmode"] == "require"
    assert "sslmode" not in databases.connections(OTHER, None)["default"]["OPTIONS"]


@pytest.mark.parametrize("url", [DIRECT, POOLED, OTHER])
def test_settings_suit_a_pooler(url: str) -> None:
    for settings in databases.connections(url, None).values():
        assert settings["DISABLE_SERVER_SIDE_CURSORS"] is True
        assert "options" not in settings["OPTIONS"], "PgBouncer refuses startup parameters"
        assert "prepare_threshold" not in settings["OPTIONS"], "Django's default: no prepared statements"


@pytest.mark.parametrize(
    ("url", "pooled"), [(DIRECT, POOLED), (POOLED, POOLED), (OTHER, OTHER)], ids=["direct", "pooled", "elsewhere"]
)
def test_way_through_the_pooler(url: str, pooled: str) -> None:
    assert databases.through_pooler(url) == pooled


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://app:secret@db/tasks", "must be a PostgreSQL URL"),
        ("postgresql://app:secret@db", "must be a PostgreSQL URL"),
        ("postgresql://app:secret@db:port/tasks", "must be a PostgreSQL URL"),
        ("db.example.com", "must be a PostgreSQL URL"),
        ("postgresql://app:secret@db/tasks?sslmode=bogus", "sslmode must be one of disable, allow, prefer, require"),
        ("postgresql://app:secret@db/tasks?channel_binding=true", "channel_binding must be one of disable, prefer"),
        ("postgresql://app:secret@db/tasks?connect_timeout=abc", "connect_timeout must be a whole number"),
        ("postgresql://app:secret@db/tasks?keepalives_idle=1m", "keepalives_idle must be a whole number"),
        ("postgresql://app:secret@db/tasks?ssl=true", 'knows no parameter "ssl"'),  # libpq does, in URLs alone
        ("postgresql://app:secret@db/tasks?pgbouncer=true", 'knows no parameter "pgbouncer"'),
        (f"{POOLED}&options=-c%20statement_timeout%3D5s", "create_roles"),
    ],
)
def test_impossible_url_is_refused_without_being_quoted(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as refusal:
        databases.check_url(url)
    assert "secret" not in str(refusal.value)
    assert "p-pooler" not in str(refusal.value)


@pytest.mark.parametrize("url", [DIRECT, POOLED, OTHER, f"{DIRECT}&options=endpoint%3Dep-cool-darkness-123456"])
def test_possible_url_is_taken(url: str) -> None:
    assert databases.check_url(url) == url
