"""Response headers that tell browsers what they may do with an answer."""

from typing import Final

NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of JSON, and of whatever else is no page."""

PAGE: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Of the admin and of Swagger UI (whose style sheet holds its icons): all from this service, nothing inline."""

EVERYWHERE: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # for <script>, <img> and the like; fetch() goes by CORS
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # the admin's CSRF check reads its own
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
