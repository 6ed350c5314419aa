"""Tokens of every kind, good and bad, signed with real keys: what an issuer, or somebody who plays one, can make."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms

ISSUER: Final = "https://auth.example.com"
SECRET: Final = "lmV2zXn0rGyE5q7KpWf3uTj8sBd4HcAa"
OLD_SECRET: Final = "Qw8xZk3vLr6tYp1nMe5bUj0hGf7cDs2a"

IMPLEMENTATIONS: Final[Mapping[str, Algorithm]] = get_default_algorithms()
ASYMMETRIC: Final = ("EdDSA", "ES256", "ES512", "RS256", "PS256")
REMOVED: Final = object()
"""As the value of a claim or a header parameter: leave it out."""

_MAKE_KEY: Final[Mapping[str, Callable[[], Any]]] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ES256K": lambda: ec.generate_private_key(ec.SECP256K1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "RSA1024": lambda: rsa.generate_private_key(65537, 1024),
    "RSA-e3": lambda: rsa.generate_private_key(3, 2048),
}


@dataclass(frozen=True)
class KeyPair:
    """A private key, its name, and the algorithm it is meant for."""

    kid: str
    algorithm: str
    private: Any

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """Give the public JWK as Better Auth publishes it."""
        implementation = IMPLEMENTATIONS[self.algorithm]
        public = implementation.to_jwk(self.private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return without_removed({**public, "alg": self.algorithm, "kid": self.kid, **changes})

    def sign(self, signing_input: bytes) -> bytes:
        """Sign with the algorithm the key is meant for."""
        return IMPLEMENTATIONS[self.algorithm].sign(signing_input, self.private)


@cache
def key_pair(kid: str, algorithm: str, kind: str | None = None) -> KeyPair:
    """Give the key pair of this name: always the same one within a run."""
    return KeyPair(kid, algorithm, _MAKE_KEY[kind or algorithm]())


def issuer_key(algorithm: str) -> KeyPair:
    """Give the key that the issuer signs with by this algorithm."""
    return key_pair(f"key-{algorithm}", algorithm)


def issuer_jwks() -> dict[str, Any]:
    """Give the JWK Set the issuer publishes."""
    return {"keys": [issuer_key(algorithm).jwk() for algorithm in ASYMMETRIC]}


def base64url(data: bytes) -> str:
    """Encode base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def to_json(value: object) -> bytes:
    """Serialise as JavaScript does; bytes are left alone, for what no serialiser writes."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def without_removed(members: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is marked as removed."""
    return {name: value for name, value in members.items() if value is not REMOVED}


def hs256(signing_input: bytes, secret: str | bytes = SECRET, algorithm: str = "HS256") -> bytes:
    """Sign with a secret."""
    key = secret.encode() if isinstance(secret, str) else secret
    return IMPLEMENTATIONS[algorithm].sign(signing_input, key)


def header(algorithm: str, **changes: Any) -> dict[str, Any]:
    """Give the header the issuer would write."""
    named = {} if algorithm == "HS256" else {"kid": f"key-{algorithm}"}
    return without_removed({"alg": algorithm, **named, **changes})


def claims(algorithm: str = "EdDSA", **changes: Any) -> dict[str, Any]:
    """Give good claims, as Better Auth writes them with its keys and a route handler with the secret."""
    now = int(time.time())
    parties = {} if algorithm == "HS256" else {"iss": ISSUER, "aud": ISSUER}
    user = {"sub": "alice", "email": "alice@example.com", "name": "Alice"}
    return without_removed({**user, "iat": now, "exp": now + 900, **parties, **changes})


def assemble(head: object, payload: object, sign: Callable[[bytes], bytes]) -> str:
    """Sign any header and payload; bytes are taken as they are."""
    signing_input = f"{base64url(to_json(head))}.{base64url(to_json(payload))}"
    return f"{signing_input}.{base64url(sign(signing_input.encode()))}"


def signer(algorithm: str) -> Callable[[bytes], bytes]:
    """Give the issuer's own way to sign with this algorithm."""
    return hs256 if algorithm == "HS256" else issuer_key(algorithm).sign


def token(algorithm: str, head: Mapping[str, Any] | bytes = {}, payload: Mapping[str, Any] | bytes = {}) -> str:
    """Make a token the issuer signed. Mappings are changes to what is good, bytes replace it."""
    return assemble(
        head if isinstance(head, bytes) else header(algorithm, **head),
        payload if isinstance(payload, bytes) else claims(algorithm, **payload),
        signer(algorithm),
    )
