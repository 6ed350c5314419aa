"""Public keys of a JWK Set (RFC 7517), each judged on its own: a bad or foreign key never spoils the others."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.exceptions import PyJWTError

from authjwt.keys import VerificationKey, parse_public_key
from authjwt.strict_json import parse_object

_ALGORITHMS_OF_KEY: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("OKP", "Ed25519"): ("EdDSA",),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-521"): ("ES512",),
    ("RSA", None): ("RS256", "PS256"),
}
_LABELS_OF_TYPE: Final = {
    "OKP": frozenset({"EdDSA", "Ed25519"}),
    "EC": frozenset({"ES256", "ES384", "ES512", "ES256K"}),
    "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
}
_KEY_MANAGEMENT_PREFIXES: Final = ("RSA-OAEP", "RSA1_5", "ECDH-ES", "A128", "A192", "A256", "PBES2", "dir")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518, section 6

_RSA_BITS: Final = range(2048, 8192 + 1)  # RFC 7518, section 3.3, and a bound on the time one signature takes
_RSA_EXPONENTS: Final = range(65537, 2**32, 2)  # FIPS 186-5, section A.1.1, and again a bound on time


class UnusableKey(Exception):
    """A member of the set is not a key that tokens may be verified with; the message says why."""


@dataclass(frozen=True, slots=True)
class SkippedKey:
    """A member of the set that is not used."""

    kid: str | None
    why: str


@dataclass(frozen=True, slots=True)
class KeySet:
    """What is usable in a JWK Set, and what is not."""

    keys: tuple[VerificationKey, ...]
    skipped: tuple[SkippedKey, ...]


def parse_key_set(document: bytes, algorithms: Collection[str]) -> KeySet:
    """Read a JWK Set, keeping the keys for the given algorithms. Raises ValueError if it is no JWK Set at all."""
    members = parse_object(document).get("keys")
    if not isinstance(members, list):
        raise ValueError("no JWK Set: there is no list of keys")  # noqa: TRY004 (one exception for every unusable document)
    keys: list[VerificationKey] = []
    skipped: list[SkippedKey] = []
    for member in members:
        try:
            keys.append(parse_key(member, algorithms))
        except UnusableKey as exc:
            kid = member.get("kid") if isinstance(member, dict) else None
            skipped.append(SkippedKey(kid if isinstance(kid, str) else None, str(exc)))
    return KeySet(tuple(keys), tuple(skipped))


def parse_key(jwk: object, algorithms: Collection[str]) -> VerificationKey:
    """Read one JWK. Raises UnusableKey."""
    if not isinstance(jwk, dict):
        raise UnusableKey("not an object")
    _check_purpose(jwk)
    usable = _algorithms_of(jwk).intersection(algorithms)
    if not usable:
        raise UnusableKey("its algorithm is not accepted here")
    return VerificationKey(_kid_of(jwk), usable, _material_of(jwk, next(iter(usable))))


def _check_purpose(jwk: Mapping[str, Any]) -> None:
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise UnusableKey("a private or symmetric key has no place in a public set")
    if jwk.get("use", "sig") != "sig":  # RFC 7517, section 4.2
        raise UnusableKey("its use is not signatures")
    operations = jwk.get("key_ops", ["verify"])  # RFC 7517, section 4.3
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKey("its operations do not include verify")


def _kid_of(jwk: Mapping[str, Any]) -> str | None:
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKey("its kid is not a string")
    return kid or None


def _algorithms_of(jwk: Mapping[str, Any]) -> frozenset[str]:
    """Return what the key can be used with. Type and curve decide, for they cannot lie; `alg` may only narrow.

    An `alg` that is impossible for the type is a wrong label (seen in the wild) and says nothing. A possible one is
    binding: no key is used with two algorithms if its owner has named one (RFC 8725, section 3.1).
    """
    kty, label = jwk.get("kty"), jwk.get("alg")
    curve = None if kty == "RSA" else jwk.get("crv")
    if not all(isinstance(value, str | None) for value in (kty, curve, label)):
        raise UnusableKey("kty, crv or alg is not a string")
    possible = frozenset(_ALGORITHMS_OF_KEY.get((str(kty), curve), ()))
    if not possible:
        raise UnusableKey("its type or curve is not supported")
    if label is None:
        return possible
    if label.startswith(_KEY_MANAGEMENT_PREFIXES):
        raise UnusableKey("its alg is for encryption")
    wrong_label = len(possible) == 1 or label not in _LABELS_OF_TYPE[str(kty)]
    return possible if wrong_label else possible & {label}


def _material_of(jwk: Mapping[str, Any], algorithm: str) -> Any:  # noqa: ANN401 (one type for each algorithm)
    try:
        material = parse_public_key(algorithm, jwk)
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, LookupError, AttributeError):
        raise UnusableKey("it is not a valid key") from None
    if isinstance(material, RSAPublicKey):
        _check_rsa(material)
    return material


def _check_rsa(key: RSAPublicKey) -> None:
    if key.key_size not in _RSA_BITS:
        raise UnusableKey(f"an RSA key of {key.key_size} bits is too small or too large")
    if key.public_numbers().e not in _RSA_EXPONENTS:
        raise UnusableKey("its RSA exponent is too small or too large")
