"""The compact serialisation of a signed JWT (RFC 7515, section 7.1), read strictly."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from authjwt.refusal import InvalidToken, Reason
from authjwt.strict_json import parse_object

MAX_TOKEN_LENGTH: Final = 8 * 1024
"""Longer tokens are refused unread: every later step costs time in proportion to the size."""

_SIGNED_PARTS: Final = 3
_ENCRYPTED_PARTS: Final = 5  # RFC 7516, section 7.1

_ALGORITHM_ALIASES: Final = {"Ed25519": "EdDSA"}  # RFC 9864 renames what RFC 8037 called EdDSA


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """What a token says of itself. Nothing here may be believed."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signing_input: bytes
    signature: bytes

    @property
    def algorithm(self) -> str | None:
        """`alg` under its one name here; None unless it is a string."""
        alg = self.header.get("alg")
        return _ALGORITHM_ALIASES.get(alg, alg) if isinstance(alg, str) else None

    @property
    def kid(self) -> str | None:
        """`kid`, or None if the token names no key."""
        return self.header.get("kid")


def digest_of(unverified_token: str) -> bytes:
    """Return a name that no other token has. Raises InvalidToken if it is too large to be read."""
    _check_length(unverified_token)
    return hashlib.sha256(unverified_token.encode(errors="surrogatepass")).digest()


def parse(unverified_token: str) -> UnverifiedToken:
    """Take a token apart without believing it. Raises InvalidToken."""
    _check_length(unverified_token)
    parts = unverified_token.split(".")
    if len(parts) == _ENCRYPTED_PARTS:
        raise InvalidToken(Reason.ENCRYPTED)
    if len(parts) != _SIGNED_PARTS:
        raise InvalidToken(Reason.NOT_A_JWT)
    try:
        header, payload, signature = (decode_base64url(part) for part in parts)
        signing_input = unverified_token[: unverified_token.rindex(".")].encode("ascii")
        return UnverifiedToken(parse_object(header), parse_object(payload), signing_input, signature)
    except ValueError:  # of base64, UTF-8 and JSON alike
        raise InvalidToken(Reason.MALFORMED) from None


def _check_length(unverified_token: str) -> None:
    if len(unverified_token) > MAX_TOKEN_LENGTH:
        raise InvalidToken(Reason.TOO_LARGE)


def decode_base64url(text: str) -> bytes:
    """Decode base64url in its one canonical form: no padding, no foreign characters, unused bits zero (RFC 4648, 3.5).

    Raises ValueError. Encoding again and comparing is what makes it strict: Python's decoder skips what it does not
    know, and a token that can be written in two ways has two digests.
    """
    encoded = text.encode("ascii")
    decoded = base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != encoded:
        raise ValueError("not canonical base64url")
    return decoded
