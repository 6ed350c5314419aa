"""Why a request is not let in, in words for its sender: one closed list, so that no answer can quote a token."""

from enum import Enum, unique
from typing import Final

REALM: Final = "tasks"


@unique
class Reason(Enum):
    """Every reason there is. The value is the `error_description`: fixed, ASCII, without quotes or backslashes."""

    NO_CREDENTIALS = "send your token in the header Authorization: Bearer <token>"
    MALFORMED_HEADER = "the Authorization header must be the word Bearer, a space and one token"

    TOO_LARGE = "the token is larger than 8 KiB"
    NOT_A_JWT = "not a JWT: send the token from /api/auth/token"
    ENCRYPTED = "an encrypted token (JWE) is not accepted"
    MALFORMED = "the token is not a well-formed JWT"

    ALGORITHM = "the signing algorithm (alg) of the token is not accepted: HS256 needs a shared secret, others a JWKS"
    TYPE = "the token is of another type (typ) than JWT or at+jwt"
    EXTENSION = "the header of the token asks for an extension (crit, b64, zip, cty) that is not accepted"
    EMBEDDED_KEY = "the header of the token brings or points to its own key"
    KID = "the key id (kid) of the token is not a short non-blank string"
    SIGNATURE_SIZE = "the signature does not have the size its algorithm asks for"

    SESSION_COOKIE = "a session cookie is not an access token: send the token from /api/auth/token"
    EMAIL_VERIFICATION = "an e-mail verification token is not an access token"
    ID_TOKEN = "an ID token is not an access token"  # noqa: S105 (a sentence, no password)
    SECURITY_EVENT = "a logout or security event token is not an access token"
    SENDER_CONSTRAINED = "a sender-constrained token (cnf) cannot be used as a bearer token"

    NO_EXPIRY = "the token has no expiry (exp)"
    MALFORMED_EXPIRY = "the expiry (exp) of the token is not a number in range"
    EXPIRED = "the token has expired"
    MALFORMED_NOT_BEFORE = "the start (nbf) of the token is not a number in range"
    NOT_YET_VALID = "the token is not valid yet (nbf)"
    MALFORMED_ISSUED_AT = "the issue time (iat) of the token is not a number in range"
    ISSUED_IN_THE_FUTURE = "the token was issued in the future (iat)"
    LIVES_TOO_LONG = "the token lives longer than is accepted here"
    SUBJECT = "the subject (sub) of the token is missing or not a usable user id"
    ISSUER = "the issuer (iss) of the token is missing or not the one expected here"
    AUDIENCE = "the audience (aud) of the token is missing or does not include this service"

    UNKNOWN_KEY = "no key of the issuer has the key id (kid) of the token"
    AMBIGUOUS_KEY = "the token names no key (kid) and the issuer has several"
    KEY_MISMATCH = "the key named by the token (kid) is for another algorithm"
    BAD_SIGNATURE = "the signature of the token is not valid"

    @property
    def slug(self) -> str:
        """The reason for machines (metrics, tests): `expired`, `bad_signature`..."""
        return self.name.lower()


class InvalidToken(Exception):
    """The request carries no acceptable bearer token. It is answered with 401 and `www_authenticate`."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self._reason = reason

    @property
    def reason(self) -> str:
        """Slug of the reason, such as `expired`."""
        return self._reason.slug

    @property
    def description(self) -> str:
        """Fixed ASCII sentence for the caller; holds nothing of the token."""
        return self._reason.value

    @property
    def error(self) -> str | None:
        """Error code of RFC 6750, section 3.1. None when no credentials were sent, which that section asks for."""
        if self._reason is Reason.NO_CREDENTIALS:
            return None
        return "invalid_request" if self._reason is Reason.MALFORMED_HEADER else "invalid_token"

    @property
    def www_authenticate(self) -> str:
        """Value of the `WWW-Authenticate` header (RFC 6750, section 3)."""
        if self.error is None:
            return f'Bearer realm="{REALM}"'
        return f'Bearer realm="{REALM}", error="{self.error}", error_description="{self.description}"'
