"""What this process verifies tokens with at the moment, for those who look after it."""

from dataclasses import dataclass

from authjwt.conf import AuthSettings
from authjwt.jwks import JWKSKeys, Reading
from authjwt.security import current_verifier


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The sources of keys. No key, no secret."""

    mode: str | None
    secrets: int
    """How many are accepted."""

    jwks: Reading | None
    """None if no JWKS is used."""


def key_status() -> KeyStatus:
    """Look, without fetching anything. Raises ImproperlyConfigured."""
    conf = AuthSettings.load()
    readings = (source.reading for source in current_verifier().sources if isinstance(source, JWKSKeys))
    return KeyStatus(conf.effective_mode, len(conf.secrets) if conf.uses_secrets else 0, next(readings, None))
