"""`settings.AUTHJWT`, typed: what the app is told, and the verifier that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from authjwt.better_auth import derive, parse_secrets
from authjwt.jwks import TTL, JWKSKeys
from authjwt.keys import ASYMMETRIC_ALGORITHMS, KeySource, SecretKeys
from authjwt.rules import LEEWAY, MAX_LIFETIME
from authjwt.verifier import Verifier

MODES: Final = ("secret", "jwks", "both")


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """The keys of `settings.AUTHJWT` in lower case, with their defaults."""

    mode: str | None = None
    """`secret`, `jwks` or `both`; None to go by the one source that is given."""

    secrets: tuple[str, ...] = field(default=(), repr=False)
    """HS256 secrets; the first one signs."""

    jwks_url: str | None = None

    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    """Accepted `iss` and `aud`. Keys of a JWKS always need both."""

    secret_requires: tuple[str, ...] = ("iss", "aud")
    """Of these two, what HS256 tokens must not leave out once it is configured."""

    algorithms: tuple[str, ...] = ASYMMETRIC_ALGORITHMS
    """Accepted from keys of the JWKS."""

    max_lifetime: float = MAX_LIFETIME
    leeway: float = LEEWAY
    jwks_ttl: float = TTL

    @classmethod
    def load(cls) -> Self:
        """Read Django's settings. Raises ImproperlyConfigured for a name that means nothing here."""
        given: Mapping[str, Any] = getattr(settings, "AUTHJWT", {})
        unknown = set(given) - {setting.name.upper() for setting in fields(cls)}
        if unknown:
            raise ImproperlyConfigured(f"AUTHJWT has unknown settings: {', '.join(sorted(unknown))}")
        return cls(**{name.lower(): value for name, value in given.items()})

    @property
    def effective_mode(self) -> str | None:
        """The mode in force; None if it is neither told nor clear."""
        if self.mode is not None:
            return self.mode if self.mode in MODES else None
        if bool(self.secrets) == bool(self.jwks_url):
            return None
        return "secret" if self.secrets else "jwks"

    @property
    def uses_secrets(self) -> bool:
        """Whether HS256 tokens are accepted."""
        return self.effective_mode in {"secret", "both"}

    @property
    def uses_jwks(self) -> bool:
        """Whether tokens signed with keys of the JWKS are accepted."""
        return self.effective_mode in {"jwks", "both"}

    def key_sources(self) -> list[KeySource]:
        """Return the sources of the mode. Raises ImproperlyConfigured unless each of them is configured."""
        missing = (self.uses_secrets and not self.secrets) or (self.uses_jwks and not self.jwks_url)
        if missing or self.effective_mode is None:
            raise ImproperlyConfigured("AUTHJWT has no clear source of keys: manage.py check says what is missing")
        sources: list[KeySource] = [SecretKeys(self.secrets)] if self.uses_secrets else []
        if self.uses_jwks:
            sources.append(JWKSKeys(str(self.jwks_url), algorithms=self.algorithms, ttl=self.jwks_ttl))
        return sources

    def verifier(self) -> Verifier:
        """Build the verifier. Fetches nothing."""
        return Verifier(
            self.key_sources(),
            issuers=self.issuers,
            audiences=self.audiences,
            secret_requires=self.secret_requires,
            max_lifetime=self.max_lifetime,
            leeway=self.leeway,
        )


def from_environment(  # noqa: PLR0913 (every variable by name)
    *,
    better_auth_jwt_mode: str | None = None,
    better_auth_secret: str | None = None,
    better_auth_secrets: str | None = None,
    better_auth_url: str | None = None,
    better_auth_jwks_url: str | None = None,
    better_auth_issuer: tuple[str, ...] = (),
    better_auth_audience: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Make `settings.AUTHJWT` of environment variables. Raises ImproperlyConfigured, naming the variable.

    Issuer and audience that merely follow from BETTER_AUTH_URL are what its JWT plugin writes. Applications that sign
    with the secret themselves often write none, so that HS256 tokens may leave out what was not set explicitly.
    """
    try:
        derived = derive(better_auth_url) if better_auth_url else None
        several = parse_secrets(better_auth_secrets) if better_auth_secrets else ()
    except ValueError as exc:
        raise ImproperlyConfigured(str(exc)) from None
    origins = (derived.origin,) if derived else ()
    return {
        "MODE": better_auth_jwt_mode,
        "SECRETS": several or tuple(filter(None, [better_auth_secret])),
        "JWKS_URL": better_auth_jwks_url or (derived and derived.jwks_url),
        "ISSUERS": better_auth_issuer or origins,
        "AUDIENCES": better_auth_audience or origins,
        "SECRET_REQUIRES": (*(["iss"] if better_auth_issuer else []), *(["aud"] if better_auth_audience else [])),
    }
