"""What a token must say of itself: one small check for each rule, in the order in which they are made.

All of them are cheap, and all come before the signature and before any network. A check passes by returning; it
raises InvalidToken otherwise. The list follows RFC 8725, "JSON Web Token Best Current Practices".
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from authjwt.jws import UnverifiedToken
from authjwt.keys import SECRET_ALGORITHM
from authjwt.refusal import InvalidToken, Reason

MAX_LIFETIME: Final = 7 * 24 * 3600
LEEWAY: Final = 15

_MAX_ID_LENGTH: Final = 255  # of `sub` and `kid`, characters
_MAX_TIME: Final = 253_402_300_800  # the year 10000
_TYPES: Final = frozenset({"jwt", "at+jwt"})  # RFC 7519, section 5.1; RFC 9068, section 2.1
_EXTENSIONS: Final = frozenset({"crit", "b64", "zip", "cty", "enc"})
_OWN_KEYS: Final = frozenset({"jwk", "jku", "x5c", "x5u"})
_ID_TOKEN_CLAIMS: Final = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})  # OpenID Connect Core, section 2 and 3.3
_EMAIL_CLAIMS: Final = frozenset({"requestType", "updateTo"})
_SIGNATURE_SIZES: Final[Mapping[str, range]] = {
    "HS256": range(32, 33),
    "EdDSA": range(64, 65),
    "ES256": range(64, 65),
    "ES512": range(132, 133),
    "RS256": range(256, 1024 + 1),
    "PS256": range(256, 1024 + 1),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is accepted here."""

    algorithms: frozenset[str]
    issuers: frozenset[str]
    audiences: frozenset[str]
    secret_requires: frozenset[str]
    """Of these two, what an HS256 token must not leave out where it is configured; stated, it must match anyway."""
    max_lifetime: float
    """Longest time from `iat` to `exp`, seconds. A stolen token cannot be called back."""
    leeway: float
    """Seconds by which the clocks of issuer and verifier may differ."""


class Check(NamedTuple):
    """One rule, with its name for people."""

    rule: str
    run: Callable[[UnverifiedToken, Rules, float], None]


def check_algorithm(token: UnverifiedToken, rules: Rules, _now: float) -> None:
    """Allow-list (RFC 8725, section 3.1); `none` and unknown names fall out by themselves (section 3.2)."""
    if token.algorithm not in rules.algorithms:
        raise InvalidToken(Reason.ALGORITHM)


def check_type(token: UnverifiedToken, _rules: Rules, _now: float) -> None:
    """Explicit typing (RFC 8725, section 3.11). Better Auth sets no `typ`, so that its absence has to do."""
    if "typ" not in token.header:
        return
    typ = token.header["typ"]
    # RFC 7515, section 4.1.9: a media type, in any case, whose prefix may be left out
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in _TYPES:
        raise InvalidToken(Reason.TYPE)


def check_extensions(token: UnverifiedToken, _rules: Rules, _now: float) -> None:
    """Refuse what changes the meaning of a token.

    No critical extension is understood (RFC 7515, section 4.1.11), nothing is compressed (RFC 8725, section 3.6) or
    nested, and keys come from configuration alone (section 3.10).
    """
    if not _EXTENSIONS.isdisjoint(token.header):
        raise InvalidToken(Reason.EXTENSION)
    if not _OWN_KEYS.isdisjoint(token.header):
        raise InvalidToken(Reason.EMBEDDED_KEY)


def check_kid(token: UnverifiedToken, _rules: Rules, _now: float) -> None:
    """Distrust the key id, even if it is only ever looked up in memory (RFC 8725, section 3.10)."""
    if "kid" in token.header and not _is_id(token.header["kid"]):
        raise InvalidToken(Reason.KID)


def check_signature_size(token: UnverifiedToken, _rules: Rules, _now: float) -> None:
    """Refuse a signature that cannot be right whatever the key (RFC 7518, sections 3.2-3.5)."""
    if len(token.signature) not in _SIGNATURE_SIZES[str(token.algorithm)]:
        raise InvalidToken(Reason.SIGNATURE_SIZE)


def check_purpose(token: UnverifiedToken, _rules: Rules, _now: float) -> None:
    """Refuse what the same issuer signs with the same keys for something else (RFC 8725, sections 3.11 and 3.12)."""
    claims = token.claims
    if "cnf" in claims:  # RFC 7800: only good together with a proof of possession, which nobody checks here
        raise InvalidToken(Reason.SENDER_CONSTRAINED)
    if not _ID_TOKEN_CLAIMS.isdisjoint(claims):
        raise InvalidToken(Reason.ID_TOKEN)
    if isinstance(claims.get("events"), dict):  # RFC 8417, section 2.2; OpenID Connect Back-Channel Logout, 2.4
        raise InvalidToken(Reason.SECURITY_EVENT)
    if token.algorithm == SECRET_ALGORITHM:
        _check_purpose_of_secret(claims)


def _check_purpose_of_secret(claims: Mapping[str, Any]) -> None:
    """Better Auth signs two more kinds of token with the bare secret, without `typ`, `iss` or `aud`."""
    if isinstance(claims.get("session"), dict) and isinstance(claims.get("user"), dict):
        raise InvalidToken(Reason.SESSION_COOKIE)
    if not _EMAIL_CLAIMS.isdisjoint(claims):
        raise InvalidToken(Reason.EMAIL_VERIFICATION)


def check_expiry(token: UnverifiedToken, rules: Rules, now: float) -> None:
    """`exp` is required (RFC 7519, section 4.1.4)."""
    if "exp" not in token.claims:
        raise InvalidToken(Reason.NO_EXPIRY)
    if expires_at(token, rules) <= now:
        raise InvalidToken(Reason.EXPIRED)


def expires_at(token: UnverifiedToken, rules: Rules) -> float:
    """Return the time from which on a token is refused. Raises InvalidToken if its `exp` is no time."""
    return _time(token, "exp", Reason.MALFORMED_EXPIRY) + rules.leeway


def check_not_before(token: UnverifiedToken, rules: Rules, now: float) -> None:
    """`nbf` (RFC 7519, section 4.1.5)."""
    if "nbf" in token.claims and _time(token, "nbf", Reason.MALFORMED_NOT_BEFORE) > now + rules.leeway:
        raise InvalidToken(Reason.NOT_YET_VALID)


def check_issued_at(token: UnverifiedToken, rules: Rules, now: float) -> None:
    """`iat` (RFC 7519, section 4.1.6): nobody signs in the future."""
    if "iat" in token.claims and _time(token, "iat", Reason.MALFORMED_ISSUED_AT) > now + rules.leeway:
        raise InvalidToken(Reason.ISSUED_IN_THE_FUTURE)


def check_lifetime(token: UnverifiedToken, rules: Rules, now: float) -> None:
    """Bound the life of a token, from its issue or, where that is not told, from now."""
    begins = token.claims["iat"] if "iat" in token.claims else now + rules.leeway
    if token.claims["exp"] - begins > rules.max_lifetime:
        raise InvalidToken(Reason.LIVES_TOO_LONG)


def check_subject(token: UnverifiedToken, _rules: Rules, _now: float) -> None:
    """`sub` is required, for it is the user (RFC 7519, section 4.1.2; RFC 8725, section 3.8)."""
    if not _is_id(token.claims.get("sub")):
        raise InvalidToken(Reason.SUBJECT)


def check_issuer(token: UnverifiedToken, rules: Rules, _now: float) -> None:
    """Exact match (RFC 8725, section 3.8)."""
    if _may_be_left_out(token, rules, "iss", rules.issuers):
        return
    issuer = token.claims.get("iss")
    if not isinstance(issuer, str) or issuer not in rules.issuers:
        raise InvalidToken(Reason.ISSUER)


def check_audience(token: UnverifiedToken, rules: Rules, _now: float) -> None:
    """One exact match (RFC 8725, section 3.9) in a string or a list of strings (RFC 7519, section 4.1.3)."""
    if _may_be_left_out(token, rules, "aud", rules.audiences):
        return
    claimed = token.claims.get("aud")
    audiences = claimed if isinstance(claimed, list) else [claimed]
    if not all(isinstance(audience, str) for audience in audiences) or rules.audiences.isdisjoint(audiences):
        raise InvalidToken(Reason.AUDIENCE)


CHECKS: Final = (
    Check("its algorithm (alg) is accepted here", check_algorithm),
    Check("it is an access token by type (typ: none, JWT or at+jwt)", check_type),
    Check("its header asks for nothing special", check_extensions),
    Check("its key id (kid), if any, is readable", check_kid),
    Check("its signature has the right size", check_signature_size),
    Check("it is not meant for another purpose", check_purpose),
    Check("it has not expired (exp)", check_expiry),
    Check("it is valid already (nbf)", check_not_before),
    Check("it was not issued in the future (iat)", check_issued_at),
    Check("it does not live too long (exp - iat)", check_lifetime),
    Check("it names a user (sub)", check_subject),
    Check("it comes from the expected issuer (iss)", check_issuer),
    Check("it is meant for this service (aud)", check_audience),
)
"""Every rule, in order. Later ones may rely on earlier ones having passed."""


def _time(token: UnverifiedToken, claim: str, refusal: Reason) -> float:
    """Return a NumericDate (RFC 7519, section 2). The range keeps later arithmetic from overflowing."""
    value = token.claims[claim]
    if type(value) not in {int, float} or not 0 <= value < _MAX_TIME:  # a bool is an int, too
        raise InvalidToken(refusal)
    return float(value)


def _may_be_left_out(token: UnverifiedToken, rules: Rules, claim: str, expected: frozenset[str]) -> bool:
    """Whether issuer or audience does not matter. Never for a published key: it signs for more than one purpose."""
    if token.algorithm != SECRET_ALGORITHM:
        return False
    return not expected or (claim not in token.claims and claim not in rules.secret_requires)


def _is_id(value: object) -> bool:
    """Whether a value can name something: a non-blank string of bounded length that any system can store."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID_LENGTH:
        return False
    if value.isprintable():
        return not value.isspace()
    categories = {unicodedata.category(character) for character in value}
    return categories.isdisjoint({"Cc", "Cs"}) and not categories <= {"Cf", "Zl", "Zp", "Zs"}
