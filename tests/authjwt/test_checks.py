"""Every configuration that cannot be right has a check with an id and a hint."""

from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from authjwt.better_auth import DEFAULT_SECRET
from authjwt.checks import check_configuration
from authjwt.conf import from_environment
from tests.authjwt.forge import SECRET, issuer_jwks, issuer_key, to_json

URL = "https://auth.example.com"
PEM = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----"
)


def messages(conf: dict[str, Any]) -> list[CheckMessage]:
    with override_settings(AUTHJWT=conf):
        return check_configuration(None)


GOOD: dict[str, dict[str, Any]] = {
    "secret": from_environment(better_auth_secret=SECRET),
    "secrets": from_environment(better_auth_secrets=f"2:{SECRET},1:{SECRET[::-1]}"),
    "url": from_environment(better_auth_url=URL),
    "http on loopback": from_environment(better_auth_url="http://localhost:3000"),
    "http on loopback address": from_environment(better_auth_url="http://127.0.0.1:3000"),
    "http on IPv6 loopback": from_environment(better_auth_url="http://[::1]:3000"),
    "http on a name of this machine": from_environment(better_auth_url="http://auth.localhost:3000"),
    "both": from_environment(better_auth_secret=SECRET, better_auth_url=URL, better_auth_jwt_mode="both"),
    "secret of two": from_environment(better_auth_secret=SECRET, better_auth_url=URL, better_auth_jwt_mode="secret"),
    "jwks with its own claims": from_environment(
        better_auth_jwks_url=f"{URL}/keys", better_auth_issuer=("i",), better_auth_audience=("a",)
    ),
    "120 bits": from_environment(better_auth_secret="abcdefgh" * 5),
    "some algorithms": from_environment(better_auth_url=URL) | {"ALGORITHMS": ("EdDSA",)},
    "unused default secret": from_environment(
        better_auth_secret=DEFAULT_SECRET, better_auth_url=URL, better_auth_jwt_mode="jwks"
    ),
}


@pytest.mark.parametrize("conf", GOOD.values(), ids=GOOD.keys())
def test_good_configuration_passes(conf: dict[str, Any]) -> None:
    assert messages(conf) == []


JWKS = from_environment(better_auth_url=URL)
BAD: list[tuple[str, str, dict[str, Any], str]] = [
    ("authjwt.E001", "nothing", {}, "BETTER_AUTH_SECRET"),
    ("authjwt.E001", "mode alone", {"MODE": "secret"}, "BETTER_AUTH_SECRET"),
    (
        "authjwt.E002",
        "two sources",
        from_environment(better_auth_secret=SECRET, better_auth_url=URL),
        "BETTER_AUTH_JWT_MODE",
    ),
    ("authjwt.E003", "mode unknown", GOOD["secret"] | {"MODE": "JWKS"}, "BETTER_AUTH_JWT_MODE"),
    ("authjwt.E004", "jwks, secret only", GOOD["secret"] | {"MODE": "jwks"}, "BETTER_AUTH_URL"),
    ("authjwt.E004", "both, secret only", GOOD["secret"] | {"MODE": "both"}, "BETTER_AUTH_URL"),
    ("authjwt.E004", "secret, url only", JWKS | {"MODE": "secret"}, "BETTER_AUTH_SECRET"),
    ("authjwt.E004", "both, url only", JWKS | {"MODE": "both"}, "BETTER_AUTH_SECRET"),
    ("authjwt.E005", "31 bytes", from_environment(better_auth_secret=SECRET[:31]), "openssl"),
    ("authjwt.E005", "second one short", from_environment(better_auth_secrets=f"2:{SECRET},1:short"), "openssl"),
    ("authjwt.E006", "default", from_environment(better_auth_secret=DEFAULT_SECRET), "openssl"),
    ("authjwt.E006", "default kept", from_environment(better_auth_secrets=f"2:{SECRET},1:{DEFAULT_SECRET}"), "openssl"),
    ("authjwt.E007", "PEM", from_environment(better_auth_secret=PEM), "openssl"),
    (
        "authjwt.E007",
        "JWK",
        from_environment(better_auth_secret=to_json(issuer_key("EdDSA").jwk()).decode()),
        "openssl",
    ),
    ("authjwt.E007", "JWKS", from_environment(better_auth_secret=to_json(issuer_jwks()).decode()), "openssl"),
    ("authjwt.W001", "repeated", from_environment(better_auth_secret="ab" * 20), "openssl"),
    ("authjwt.E008", "HS256", JWKS | {"ALGORITHMS": ("EdDSA", "HS256")}, "HS256"),
    ("authjwt.E008", "none", JWKS | {"ALGORITHMS": ("none",)}, "EdDSA"),
    ("authjwt.E008", "unknown", JWKS | {"ALGORITHMS": ("ES384",)}, "EdDSA"),
    ("authjwt.E008", "no algorithm", JWKS | {"ALGORITHMS": ()}, "EdDSA"),
    ("authjwt.E009", "no scheme", JWKS | {"JWKS_URL": "auth.example.com/jwks"}, "BETTER_AUTH_URL"),
    ("authjwt.E009", "file", JWKS | {"JWKS_URL": "file:///etc/passwd"}, "BETTER_AUTH_URL"),
    ("authjwt.E009", "credentials", JWKS | {"JWKS_URL": "https://u:hush@a.example/jwks"}, "BETTER_AUTH_URL"),
    ("authjwt.E009", "bad port", JWKS | {"JWKS_URL": "https://a.example:x/jwks"}, "BETTER_AUTH_URL"),
    ("authjwt.E010", "http", from_environment(better_auth_url="http://auth.example.com"), "https"),
    ("authjwt.E010", "http in a private net", from_environment(better_auth_url="http://10.0.0.1"), "https"),
    (
        "authjwt.E010",
        "name that looks local",
        from_environment(better_auth_url="http://localhost.example.com"),
        "https",
    ),
    ("authjwt.E011", "no claims", from_environment(better_auth_jwks_url=f"{URL}/jwks"), "BETTER_AUTH_ISSUER"),
    ("authjwt.E011", "no audience", JWKS | {"AUDIENCES": ()}, "BETTER_AUTH_AUDIENCE"),
    ("authjwt.E012", "string for a list", JWKS | {"ISSUERS": URL}, "BETTER_AUTH_ISSUER"),
    ("authjwt.E012", "one secret for a list", {"SECRETS": SECRET}, "BETTER_AUTH_SECRET"),
    ("authjwt.E012", "blank item", JWKS | {"AUDIENCES": ("",)}, "BETTER_AUTH_AUDIENCE"),
    ("authjwt.E013", "life without end", JWKS | {"MAX_LIFETIME": float("inf")}, "default"),
    ("authjwt.E013", "negative leeway", JWKS | {"LEEWAY": -1}, "default"),
    ("authjwt.E013", "no ttl", JWKS | {"JWKS_TTL": 0}, "default"),
    ("authjwt.E013", "text", JWKS | {"LEEWAY": "15"}, "default"),
]


@pytest.mark.parametrize(
    ("id_", "conf", "hint"), [(b[0], b[2], b[3]) for b in BAD], ids=[f"{b[0]} {b[1]}" for b in BAD]
)
def test_bad_configuration_is_named(id_: str, conf: dict[str, Any], hint: str) -> None:
    (message,) = messages(conf)
    assert message.id == id_
    assert message.msg.startswith("AUTHJWT: ")
    assert hint in str(message.hint)
    assert SECRET not in f"{message.msg}{message.hint}"
    assert "hush" not in f"{message.msg}{message.hint}"


def test_each_problem_is_named_at_once() -> None:
    conf = from_environment(better_auth_secret="short", better_auth_url="http://a.example", better_auth_jwt_mode="both")
    assert [message.id for message in messages(conf)] == ["authjwt.E005", "authjwt.E010"]


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        (from_environment(better_auth_secrets=f"2:{SECRET},1:short"), "secret 2 of 2 (BETTER_AUTH_SECRET)"),
        (JWKS | {"ALGORITHMS": ("EdDSA", "HS256", "none")}, "keys of a JWKS: HS256, none."),
        (JWKS | {"ALGORITHMS": ()}, "ALGORITHMS is empty."),
        *((JWKS | {name: "x"}, f"AUTHJWT: {name} is") for name in ("SECRETS", "ISSUERS", "AUDIENCES", "ALGORITHMS")),
        *((JWKS | {name: -1}, f"AUTHJWT: {name} is") for name in ("MAX_LIFETIME", "LEEWAY", "JWKS_TTL")),
    ],
)
def test_message_says_what_is_wrong(conf: dict[str, Any], words: str) -> None:
    (message,) = messages(conf)
    assert words in message.msg


@pytest.mark.parametrize(
    ("name", "least", "most"), [("MAX_LIFETIME", 60, 366 * 86400), ("LEEWAY", 0, 300), ("JWKS_TTL", 1, 86400)]
)
def test_seconds_are_bounded(name: str, least: int, most: int) -> None:
    found = [bool(messages(JWKS | {name: seconds})) for seconds in (least - 0.1, least, most, most + 0.1)]
    assert found == [True, False, False, True]


@override_settings(DEBUG=True)
def test_http_is_for_debug() -> None:
    assert messages(from_environment(better_auth_url="http://auth.example.com")) == []


@override_settings(AUTHJWT={})
def test_checks_are_registered() -> None:
    assert "authjwt.E001" in {message.id for message in run_checks()}
    with pytest.raises(SystemCheckError, match=r"authjwt\.E001"):
        call_command("check")
