"""Django's WSGI handler, without what no request here has: a root below the host's, a urlconf of its own, listeners."""

from collections.abc import Callable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.response import HttpResponseBase


class Handler(WSGIHandler):
    """One call of the middleware; the test client's handler and ASGI's make the same one."""

    _middleware_chain: Callable[[WSGIRequest], HttpResponseBase]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> HttpResponseBase:
        """Answer a request."""
        request = self.request_class(environ)
        response = self._middleware_chain(request)
        response._resource_closers.append(request.close)  # type: ignore[attr-defined]  # as Django does
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
        status = f"{response.status_code} {response.reason_phrase}"
        start_response(status, [*response.headers._store.values(), *cookies])
        return response
