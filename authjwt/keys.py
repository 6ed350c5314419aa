"""Verification keys: each is bound to the algorithms it may be used with, whatever a token's header says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from jwt.algorithms import Algorithm, get_default_algorithms

SECRET_ALGORITHM: Final = "HS256"  # noqa: S105 (the name of an algorithm)
ASYMMETRIC_ALGORITHMS: Final = ("EdDSA", "ES256", "ES512", "RS256", "PS256")
"""What Better Auth's JWT plugin can sign with."""

MIN_SECRET_BYTES: Final = 32  # RFC 7518, section 3.2: at least the size of the hash

_IMPLEMENTATIONS: Final[Mapping[str, Algorithm]] = {
    name: implementation
    for name, implementation in get_default_algorithms().items()
    if name in {SECRET_ALGORITHM, *ASYMMETRIC_ALGORITHMS}
}


class KeysUnavailable(Exception):
    """The keys cannot be had at the moment, so nobody can say whether a token is good. Answered with 503."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("the keys that tokens are verified with cannot be reached at the moment")
        self.retry_after = max(1, round(retry_after))
        """Seconds after which another attempt makes sense, for the header `Retry-After`."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the algorithms it may be used with (RFC 8725, section 3.1)."""

    kid: str | None
    algorithms: frozenset[str]
    material: Any = field(repr=False)

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Whether this key made the signature. False for every algorithm the key is not for."""
        if algorithm not in self.algorithms:
            return False
        return _IMPLEMENTATIONS[algorithm].verify(signing_input, self.material, signature)


class KeySource(Protocol):
    """Where keys come from. Thread-safe."""

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms this source owns; no other source of a verifier has any of them."""

    def candidates(self, algorithm: str, kid: str | None) -> tuple[VerificationKey, ...]:
        """Return the few keys that may have signed such a token; none if there are none. May wait for a key it lacks.

        Raises KeysUnavailable if that cannot be known, InvalidToken if the choice of key itself is wrong.
        """


class SecretKeys:
    """Shared HS256 secrets. Several while a secret rotates: the first one signs, all of them verify."""

    algorithms: Final = frozenset({SECRET_ALGORITHM})

    def __init__(self, secrets: Iterable[str]) -> None:
        self._keys = tuple(
            VerificationKey(kid=None, algorithms=self.algorithms, material=hmac_key(secret)) for secret in secrets
        )

    def candidates(self, algorithm: str, kid: str | None) -> tuple[VerificationKey, ...]:  # noqa: ARG002 (KeySource)
        """Return every secret. A `kid` does not matter: secrets have no names that a signer could know."""
        return self._keys if algorithm in self.algorithms else ()


def hmac_key(secret: str) -> bytes:
    """Return the HMAC key of a secret: its UTF-8 bytes.

    Raises ValueError if it is too short, InvalidKeyError of PyJWT if it is a public key, a certificate or a JWK,
    which would be known to everybody.
    """
    key: bytes = _IMPLEMENTATIONS[SECRET_ALGORITHM].prepare_key(secret.encode())
    if len(key) < MIN_SECRET_BYTES:
        raise ValueError(f"a secret needs at least {MIN_SECRET_BYTES} bytes")
    return key


def parse_public_key(algorithm: str, jwk: Mapping[str, Any]) -> Any:  # noqa: ANN401 (one type for each algorithm)
    """Build the public key of a JWK with PyJWT. Raises what PyJWT and cryptography raise."""
    return _IMPLEMENTATIONS[algorithm].from_jwk(dict(jwk))
