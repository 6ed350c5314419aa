"""From environment variables to settings."""

import time
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from authjwt.better_auth import derive, parse_secrets
from authjwt.conf import AuthSettings, from_environment
from authjwt.refusal import InvalidToken
from tests.authjwt.configuration import settings_for
from tests.authjwt.forge import OLD_SECRET, SECRET, token
from tests.authjwt.jwks_server import JWKSServer

URL = "https://auth.example.com"


@pytest.mark.parametrize(
    ("base_url", "origin", "jwks_url"),
    [
        ("https://a.example", "https://a.example", "https://a.example/api/auth/jwks"),
        ("https://a.example/", "https://a.example", "https://a.example/api/auth/jwks"),
        ("https://a.example//", "https://a.example", "https://a.example/api/auth/jwks"),
        ("HTTPS://A.Example", "https://a.example", "https://a.example/api/auth/jwks"),
        ("https://a.example:443", "https://a.example", "https://a.example/api/auth/jwks"),
        ("http://a.example:80/", "http://a.example", "http://a.example/api/auth/jwks"),
        ("https://a.example:80", "https://a.example:80", "https://a.example:80/api/auth/jwks"),
        ("http://localhost:3000", "http://localhost:3000", "http://localhost:3000/api/auth/jwks"),
        ("https://a.example/api/auth", "https://a.example", "https://a.example/api/auth/jwks"),
        ("https://a.example/auth/", "https://a.example", "https://a.example/auth/jwks"),
        ("https://a.example/Auth/X/", "https://a.example", "https://a.example/Auth/X/jwks"),
        ("http://[::1]:3000", "http://[::1]:3000", "http://[::1]:3000/api/auth/jwks"),
    ],
)
def test_issuer_and_jwks_url_follow_from_the_base_url(base_url: str, origin: str, jwks_url: str) -> None:
    assert derive(base_url) == (origin, jwks_url)


@pytest.mark.parametrize(
    "base_url",
    [
        *("", "auth.example.com", "//auth.example.com", "ftp://a.example", "https://", "https:///x", "https://:443"),
        *("https://a.example:x", "https://a.example:99999", "https://a.example:0", "https://u:p@a.example"),
        *("https://a.example?x=1", "https://a.example/#x", "https://a example", "https://ä.example", "https://[::1"),
    ],
)
def test_malformed_base_url_is_named(base_url: str) -> None:
    with pytest.raises(ValueError, match="BETTER_AUTH_URL"):
        derive(base_url)


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("1:a", ("a",)),
        ("2:new,1:old", ("new", "old")),
        ("1:old,2:new", ("old", "new")),
        (" 2 : new , 1 : old ", ("new", "old")),
        ("2:with:colon,1:old", ("with:colon", "old")),
        ("0:a", ("a",)),
    ],
)
def test_secrets_are_read_in_the_order_of_the_list(text: str, secrets: tuple[str, ...]) -> None:
    """The first one signs, whatever its number: so it is in Better Auth."""
    assert parse_secrets(text) == secrets


@pytest.mark.parametrize(
    "text",
    ["", "hush", "x:hush", ":hush", "-1:hush", "1.5:hush", "1:", "1:hush,", "1:hush,1:hush2", "1:a,01:hush", "²:hush"],
)
def test_malformed_secrets_are_named_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="BETTER_AUTH_SECRETS: entry") as caught:
        parse_secrets(text)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(("text", "place"), [("hush", 1), ("1:a,hush", 2), ("1:a,2:b,1:c", 3)])
def test_malformed_secret_is_named_by_its_place(text: str, place: int) -> None:
    with pytest.raises(ValueError, match=f"entry {place} "):
        parse_secrets(text)


@pytest.mark.parametrize(
    ("variables", "mode"),
    [
        ({"better_auth_secret": SECRET}, "secret"),
        ({"better_auth_secrets": f"1:{SECRET}"}, "secret"),
        ({"better_auth_url": URL}, "jwks"),
        ({"better_auth_jwks_url": URL}, "jwks"),
        ({"better_auth_secret": SECRET, "better_auth_url": URL}, None),
        ({}, None),
        ({"better_auth_secret": SECRET, "better_auth_url": URL, "better_auth_jwt_mode": "both"}, "both"),
        ({"better_auth_secret": SECRET, "better_auth_url": URL, "better_auth_jwt_mode": "secret"}, "secret"),
        ({"better_auth_secret": SECRET, "better_auth_jwt_mode": "neither"}, None),
    ],
)
def test_mode_follows_from_what_is_set(variables: dict[str, Any], mode: str | None) -> None:
    with override_settings(AUTHJWT=from_environment(**variables)):
        assert AuthSettings.load().effective_mode == mode


def test_url_gives_issuer_audience_and_jwks_url() -> None:
    made = from_environment(better_auth_url=URL)
    assert (made["ISSUERS"], made["AUDIENCES"], made["JWKS_URL"]) == ((URL,), (URL,), f"{URL}/api/auth/jwks")


def test_variables_of_their_own_go_before_what_is_derived() -> None:
    made = from_environment(
        better_auth_url=URL,
        better_auth_jwks_url="https://keys.example/jwks",
        better_auth_issuer=("i",),
        better_auth_audience=("a", "b"),
    )
    assert (made["ISSUERS"], made["AUDIENCES"]) == (("i",), ("a", "b"))
    assert made["JWKS_URL"] == "https://keys.example/jwks"
    assert made["SECRET_REQUIRES"] == ("iss", "aud")


def test_secrets_go_before_the_one_secret() -> None:
    assert from_environment(better_auth_secrets=f"1:{SECRET}", better_auth_secret=OLD_SECRET)["SECRETS"] == (SECRET,)


def test_malformed_variable_is_improperly_configured() -> None:
    with pytest.raises(ImproperlyConfigured, match="BETTER_AUTH_URL"):
        from_environment(better_auth_url="auth.example.com")


def test_numbers_and_algorithms_reach_the_verifier() -> None:
    conf = from_environment(better_auth_url=URL) | {"ALGORITHMS": ("ES256",), "MAX_LIFETIME": 60, "LEEWAY": 5}
    with override_settings(AUTHJWT=conf):
        rules = AuthSettings.load().verifier().rules
    assert rules.algorithms == {"ES256"}
    assert (rules.max_lifetime, rules.leeway) == (60, 5)


def test_ttl_reaches_the_keys(issuer: JWKSServer) -> None:
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url) | {"JWKS_TTL": 0.01}):
        verifier = AuthSettings.load().verifier()
    verifier.verify(token("EdDSA"))
    issuer.publish()
    time.sleep(0.02)
    with pytest.raises(InvalidToken):
        verifier.verify(token("EdDSA"))


@override_settings()
def test_missing_settings_are_the_defaults() -> None:
    del settings.AUTHJWT
    assert AuthSettings.load() == AuthSettings()


@override_settings(AUTHJWT={"SECRET": "x"})
def test_unknown_setting_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET"):
        AuthSettings.load()


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(AuthSettings(secrets=(SECRET,)))
