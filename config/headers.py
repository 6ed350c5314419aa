"""Response headers that tell browsers what they may do with an answer; and request headers that come twice."""

from collections.abc import Mapping, Sequence
from typing import Final

from django.http.response import HttpResponseBase

NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of JSON, and of whatever else is no page."""

PAGE: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Of the admin and of Swagger UI (whose style sheet holds its icons): all from this service, nothing inline."""

STRICT_TRANSPORT_SECURITY: Final = "max-age=31536000; includeSubDomains; preload"
"""Over TLS: browsers never come without again."""

EVERYWHERE: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # for <script>, <img> and the like; fetch() goes by CORS
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # the admin's CSRF check reads its own
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Prepared:
    """Constant headers, checked once: Django would look for line breaks in each of them at every response."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name.lower(): (name, value) for name, value in fields.items()}

    def complete(self, response: HttpResponseBase) -> None:
        """Give `response` those that it does not have."""
        response.headers._store = self._fields | response.headers._store  # in Django's own form


def of(response: HttpResponseBase, name: str) -> str:
    """The value of a header, named in lower case; empty, if there is none."""
    return response.headers._store.get(name, ("", ""))[1]


def put(response: HttpResponseBase, name: str, value: str) -> None:
    """Set a header whose value is ours, and so has no line breaks to look for."""
    response.headers._store[name.lower()] = (name, value)


def apart(fields: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """Have ASGI's fields of one name joined by a comma and a space (RFC 9110, section 5.2); Django puts a comma alone.

    A value with a comma in it, where no value has spaces, can so be told from two.
    """
    if len({name for name, _ in fields}) == len(fields):
        return fields
    names = [name for name, _ in fields]
    return [(name, b" " + value if name in names[:n] else value) for n, (name, value) in enumerate(fields)]
