"""Bearer authentication for django-ninja: the only reader of the `Authorization` header."""

import threading
from typing import Any, Final

from django.core.signals import setting_changed
from django.http import HttpRequest
from ninja.security.base import AuthBase

from authjwt.conf import AuthSettings
from authjwt.principal import Principal
from authjwt.refusal import InvalidToken, Reason
from authjwt.verifier import Verifier


class BearerAuth(AuthBase):
    """`auth=BearerAuth()` lets in whoever has an acceptable token; `request.auth` is then a `Principal`.

    Everybody else is an exception, InvalidToken (401) or KeysUnavailable (503), so that one handler words all answers.
    Unlike `HttpBearer` of ninja it never logs the header.
    """

    openapi_type: Final = "http"
    openapi_scheme: Final = "bearer"
    openapi_bearerFormat: Final = "JWT"  # noqa: N815 (the name in the OpenAPI document)

    def __call__(self, request: HttpRequest) -> Principal:
        """Authenticate a request. Raises InvalidToken or KeysUnavailable."""
        unverified_token = bearer_token(request.META.get("HTTP_AUTHORIZATION", ""))
        return Principal(user_id=current_verifier().verify(unverified_token).subject)


def bearer_token(authorization: str) -> str:
    """Return the token of an `Authorization` header: the scheme in any case, spaces, the token (RFC 9110, 11.6.2).

    Raises InvalidToken. Another scheme counts as no credentials (RFC 6750, section 3.1).
    """
    scheme, _, rest = authorization.strip(" ").partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken(Reason.NO_CREDENTIALS)
    unverified_token = rest.strip(" ")
    if not unverified_token or " " in unverified_token or "," in unverified_token:  # a comma joins repeated headers
        raise InvalidToken(Reason.MALFORMED_HEADER)
    return unverified_token


class _Current:
    """The verifier of this process, built on first use."""

    verifier: Verifier | None = None
    lock = threading.Lock()


def current_verifier() -> Verifier:
    """Return the verifier that follows from the settings. There is one a process: it holds the keys.

    Raises ImproperlyConfigured.
    """
    verifier = _Current.verifier
    if verifier is None:
        with _Current.lock:
            verifier = _Current.verifier = _Current.verifier or AuthSettings.load().verifier()
    return verifier


def _forget_verifier(*, setting: str, **_kwargs: Any) -> None:  # noqa: ANN401 (whatever the signal sends)
    if setting == "AUTHJWT":
        _Current.verifier = None


setting_changed.connect(_forget_verifier)
