"""Django's WSGI handler, without what no request here has: a root below the host's, a urlconf of its own, listeners."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import LimitedStream, WSGIHandler, WSGIRequest, get_path_info
from django.http.response import HttpResponseBase

PLAIN = frozenset({"", "application/json"})  # media types without parameters


class Request(WSGIRequest):
    """Django's, of a service at the root of its host, with a body that has arrived."""

    def __init__(self, environ: dict[str, Any]) -> None:
        path = environ["PATH_INFO"]
        self.environ = self.META = environ
        self.path_info = environ["PATH_INFO"] = (path if path.isascii() else get_path_info(environ)) or "/"
        self.path = f"/{self.path_info.removeprefix('/')}"
        self.method = environ["REQUEST_METHOD"].upper()
        if (content_type := environ.get("CONTENT_TYPE", "")) in PLAIN:
            self.content_type, self.content_params = content_type, {}
        else:
            self._set_content_type_params(environ)  # type: ignore[attr-defined]  # Django's own
        stream = environ["wsgi.input"]
        if type(stream) is BytesIO:
            self._stream, self._body = stream, stream.getvalue()
        else:  # one that breaks off
            self._stream = LimitedStream(stream, int(environ["CONTENT_LENGTH"]))  # type: ignore[assignment]  # as Django does
        self._read_started = False
        self.resolver_match = None


class Handler(WSGIHandler):
    """One call of the middleware; the test client's handler and ASGI's make the same one."""

    request_class = Request
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
