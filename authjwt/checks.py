"""System checks of `settings.AUTHJWT`: a configuration that cannot be right stops the process at start.

Messages name the environment variables the settings are commonly made from, and never show a secret.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 (Django's own name)
from jwt.exceptions import InvalidKeyError

from authjwt.better_auth import DEFAULT_SECRET, estimate_entropy, split_http_url
from authjwt.conf import MODES, AuthSettings
from authjwt.keys import ASYMMETRIC_ALGORITHMS, MIN_SECRET_BYTES, hmac_key

_MIN_ENTROPY_BITS = 120  # below it Better Auth warns, too
_GENERATE = "Generate one with: openssl rand -base64 32"


def check_configuration(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:  # noqa: ANN401, ARG001 (Django's signature)
    """Run every check."""
    conf = AuthSettings.load()
    return list(check_lists(conf)) or list(chain.from_iterable(check(conf) for check in _CHECKS))


def check_source(conf: AuthSettings) -> Iterator[CheckMessage]:
    """E001, E002, E003, E004: it must be clear where keys come from, and possible."""
    if conf.mode is not None and conf.mode not in MODES:
        hint = f"Set BETTER_AUTH_JWT_MODE to one of {', '.join(MODES)}."
        yield Error("AUTHJWT: unknown MODE.", hint=hint, id="authjwt.E003")
    elif not conf.secrets and not conf.jwks_url:
        hint = "Set BETTER_AUTH_SECRET (shared HS256 secret) or BETTER_AUTH_URL (JWT plugin of Better Auth)."
        yield Error("AUTHJWT: there is no source of keys: no token could be verified.", hint=hint, id="authjwt.E001")
    elif conf.effective_mode is None:
        hint = "Set BETTER_AUTH_JWT_MODE to secret, jwks or both, or unset BETTER_AUTH_SECRET(S) or BETTER_AUTH_URL."
        yield Error("AUTHJWT: both a secret and a URL are set, and no mode.", hint=hint, id="authjwt.E002")
    elif conf.uses_secrets and not conf.secrets:
        hint = "Set BETTER_AUTH_SECRET, or change BETTER_AUTH_JWT_MODE."
        yield Error(f"AUTHJWT: mode {conf.mode} needs a secret.", hint=hint, id="authjwt.E004")
    elif conf.uses_jwks and not conf.jwks_url:
        hint = "Set BETTER_AUTH_URL or BETTER_AUTH_JWKS_URL, or change BETTER_AUTH_JWT_MODE."
        yield Error(f"AUTHJWT: mode {conf.mode} needs a JWKS URL.", hint=hint, id="authjwt.E004")


def check_secrets(conf: AuthSettings) -> Iterator[CheckMessage]:
    """E005, E006, E007, W001: a secret must be long, secret and random."""
    if not conf.uses_secrets:
        return
    for place, secret in enumerate(conf.secrets, start=1):
        name = f"AUTHJWT: secret {place} of {len(conf.secrets)} (BETTER_AUTH_SECRET)"
        if secret == DEFAULT_SECRET:
            yield Error(f"{name} is Better Auth's public default.", hint=_GENERATE, id="authjwt.E006")
        elif len(secret.encode()) < MIN_SECRET_BYTES:
            why = f"{name} is shorter than {MIN_SECRET_BYTES} bytes."
            yield Error(why, hint=_GENERATE, id="authjwt.E005")
        elif not _is_hmac_key(secret):
            why = f"{name} is a public key, a certificate or a JWK, known to others."
            yield Error(why, hint=_GENERATE, id="authjwt.E007")
        elif estimate_entropy(secret) < _MIN_ENTROPY_BITS:
            yield Warning(f"{name} does not look random.", hint=_GENERATE, id="authjwt.W001")


def check_algorithms(conf: AuthSettings) -> Iterator[CheckMessage]:
    """E008: only algorithms of key pairs, and only those that are implemented."""
    if not conf.uses_jwks:
        return
    foreign = [name for name in conf.algorithms if name not in ASYMMETRIC_ALGORITHMS]
    if foreign or not conf.algorithms:
        what = f"not possible for keys of a JWKS: {', '.join(map(str, foreign))}" if foreign else "empty"
        hint = f"Choose from {', '.join(ASYMMETRIC_ALGORITHMS)}; HS256 belongs to BETTER_AUTH_SECRET alone."
        yield Error(f"AUTHJWT: ALGORITHMS is {what}.", hint=hint, id="authjwt.E008")


def check_jwks_url(conf: AuthSettings) -> Iterator[CheckMessage]:
    """E009, E010: keys must come from where they are meant to come from, unaltered."""
    if not conf.uses_jwks or not conf.jwks_url:
        return
    try:
        parts = split_http_url(conf.jwks_url)
    except ValueError as exc:
        hint = "Set BETTER_AUTH_URL (or BETTER_AUTH_JWKS_URL) to a URL like https://auth.example.com."
        yield Error(f"AUTHJWT: the JWKS URL is {exc}.", hint=hint, id="authjwt.E009")
        return
    if parts.scheme == "http" and not settings.DEBUG and not _is_loopback(str(parts.hostname)):
        hint = "Use https in BETTER_AUTH_URL (or BETTER_AUTH_JWKS_URL); plain http is for loopback and DEBUG."
        why = "AUTHJWT: the JWKS URL is plain http: anybody on the way could put in a key."
        yield Error(why, hint=hint, id="authjwt.E010")


def check_claims(conf: AuthSettings) -> Iterator[CheckMessage]:
    """E011: keys of a JWKS sign for many purposes, told apart by issuer and audience (RFC 8725, section 3.9)."""
    if conf.uses_jwks and conf.jwks_url and not (conf.issuers and conf.audiences):
        hint = "Set BETTER_AUTH_URL, or BETTER_AUTH_ISSUER and BETTER_AUTH_AUDIENCE."
        why = "AUTHJWT: a JWKS needs ISSUERS and AUDIENCES: without them tokens for others would be accepted."
        yield Error(why, hint=hint, id="authjwt.E011")


def check_lists(conf: AuthSettings) -> Iterator[CheckMessage]:
    """E012: one string where several are expected would be taken letter by letter."""
    for name in ("SECRETS", "ISSUERS", "AUDIENCES", "ALGORITHMS"):
        value = getattr(conf, name.lower())
        if not isinstance(value, tuple | list) or not all(isinstance(item, str) and item for item in value):
            hint = "It is made of BETTER_AUTH_SECRET, BETTER_AUTH_ISSUER or BETTER_AUTH_AUDIENCE: a tuple of strings."
            yield Error(f"AUTHJWT: {name} is not a tuple of non-empty strings.", hint=hint, id="authjwt.E012")


def check_numbers(conf: AuthSettings) -> Iterator[CheckMessage]:
    """E013: seconds within reason."""
    bounds = {"MAX_LIFETIME": (60, 366 * 86400), "LEEWAY": (0, 300), "JWKS_TTL": (1, 86400)}
    for name, (least, most) in bounds.items():
        value = getattr(conf, name.lower())
        if type(value) not in {int, float} or not least <= value <= most:
            hint = f"Give seconds from {least} to {most}, or leave it out for the default."
            yield Error(f"AUTHJWT: {name} is out of range.", hint=hint, id="authjwt.E013")


_CHECKS = (
    check_source,
    check_secrets,
    check_algorithms,
    check_jwks_url,
    check_claims,
    check_numbers,
)


def _is_hmac_key(secret: str) -> bool:
    try:
        hmac_key(secret)
    except InvalidKeyError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
