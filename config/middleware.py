"""What every request has in common: an id, a log line, a host, a bounded body, HTTP's own methods, a known length."""

import hashlib
import time
from functools import lru_cache
from typing import cast

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from authjwt.principal import Principal
from config import correlation, errors, headers, metrics
from config.logging import Logger
from config.metrics import GetResponse
from config.postgresql import patience
from config.rate_limit import Quota

log = Logger("tasks_api.request")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
ADMIN_SECONDS = 20.0
HOSTS = 100  # allowed ones, with their ports, that are remembered: few are used, and any port is allowed
PROBES = frozenset({"/livez", "/readyz", "/health"})


def request_line(get_response: GetResponse) -> GetResponse:
    """Give the request its id and, once it is answered, its line in the log."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        sent = request.META  # `request.headers` would make a dictionary of all of them first
        request_id = correlation.begin(sent.get("HTTP_X_REQUEST_ID", ""), sent.get("HTTP_TRACEPARENT", ""))
        method = request.method if request.method in METHODS else "_OTHER"  # the name that OpenTelemetry gives them
        response = get_response(request)
        headers.put(response, "X-Request-ID", request_id)
        principal: Principal | None = getattr(request, "auth", None)
        log.info(
            "request",
            method=method,
            route=metrics.route(request),
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000, 2),
            user=principal and user_digest(principal.user_id),
            **getattr(request, "refusal", {}),
        )
        return response

    return middleware


@lru_cache(maxsize=1024)
def user_digest(user_id: str) -> str:
    """The name of a user in the log: the same for all their requests, and nobody's without SECRET_KEY."""
    return hashlib.blake2b(user_id.encode(), digest_size=8, key=settings.SECRET_KEY.encode()[:64]).hexdigest()


_JSON = headers.Prepared(headers.EVERYWHERE | {"Content-Security-Policy": headers.NOTHING})
_PAGE = headers.Prepared(
    headers.EVERYWHERE | {"Content-Security-Policy": headers.PAGE, "Cache-Control": "no-store, private"}
)
_UNCHANGED = headers.Prepared(headers.EVERYWHERE)  # a CSP would replace that of the page that the browser has
_TLS = headers.Prepared({"Strict-Transport-Security": headers.STRICT_TRANSPORT_SECURITY})


def security_headers(get_response: GetResponse) -> GetResponse:
    """Tell browsers what an answer is not for. Django's own middleware has some of these, and no CSP."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code == 304:  # noqa: PLR2004
            _UNCHANGED.complete(response)
        elif headers.of(response, "content-type").startswith("text/html"):
            _PAGE.complete(response)
        else:
            _JSON.complete(response)
        if request.is_secure():
            _TLS.complete(response)
        return response

    return middleware


def cors(get_response: GetResponse) -> GetResponse:
    """Let corsheaders decide. What it says to the front ends is the same each time, but for preflights."""
    decide = CorsMiddleware(get_response)
    to_known = {None: headers.Prepared({})} | {one: _said_to(one, decide) for one in settings.CORS_ALLOWED_ORIGINS}

    def middleware(request: HttpRequest) -> HttpResponseBase:
        said = to_known.get(request.META.get("HTTP_ORIGIN"))
        if said is None or request.method == "OPTIONS" or request.path.startswith("/admin/"):
            return cast("HttpResponseBase", decide(request))
        response = get_response(request)
        said.complete(response)
        if headers.of(response, "vary"):
            patch_vary_headers(response, ["origin"])
        else:
            headers.put(response, "Vary", "origin")
        return response

    return middleware


def _said_to(origin: str, decide: CorsMiddleware) -> headers.Prepared:
    request, response = HttpRequest(), HttpResponse()
    request.path_info, request.META["HTTP_ORIGIN"] = "/", origin
    decide.add_response_headers(request, response)
    return headers.Prepared(
        {name: value for name, value in response.items() if name.lower() not in {"content-type", "vary"}}
    )


def http_semantics(get_response: GetResponse) -> GetResponse:
    """RFC 9110 where Django and ninja leave gaps: HEAD, OPTIONS, Allow, one shape of errors, a known length."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        method = request.method
        if method == "HEAD" and not request.path.startswith(settings.STATIC_URL):  # files know HEAD themselves
            request.method = "GET"
        response = _shaped(get_response(request), method)
        if isinstance(response, HttpResponse):
            _measure(response, method)
        elif isinstance(response, StreamingHttpResponse) and method == "HEAD" != request.method:
            response.streaming_content = ()  # what has not begun is never read
        quota: Quota | None = getattr(request, "quota", None)
        if quota:
            for name, value in quota.headers.items():
                headers.put(response, name, value)
        return response

    return middleware


def operators_connections(get_response: GetResponse) -> GetResponse:
    """Let the admin wait for the database for longer than the API does, and not for ever; give connections back."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with patience.at_most(ADMIN_SECONDS):
            response = get_response(request)
        response._resource_closers.append(close_old_connections)  # type: ignore[attr-defined]  # what streams still reads
        return response

    return middleware


def admission(get_response: GetResponse) -> GetResponse:
    """Turn away who calls us by another name, or sends more than we take, before anything is read."""
    known: set[str | None] = set()
    max_bytes = settings.MAX_BODY_BYTES

    def middleware(request: HttpRequest) -> HttpResponseBase:
        try:
            if request.META.get("HTTP_HOST") not in known and request.path not in PROBES:  # probes come by address
                request.get_host()
                if len(known) < HOSTS:
                    known.add(request.META.get("HTTP_HOST"))
            if int(request.META.get("CONTENT_LENGTH") or 0) > max_bytes:
                raise RequestDataTooBig
        except SuspiciousOperation as exc:
            request.refusal = {"reason": type(exc).__name__}  # type: ignore[attr-defined]
            return errors.to_response(exc)
        return get_response(request)

    return middleware


def _shaped(response: HttpResponseBase, method: str | None) -> HttpResponseBase:
    if response.status_code == 405:  # noqa: PLR2004
        allow = {name.strip() for name in response.get("Allow", "").split(",") if name} | {"OPTIONS"}
        response["Allow"] = ", ".join(sorted(allow | {"HEAD"} if "GET" in allow else allow))
        if method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": response["Allow"]})
    if response.status_code >= 400 and response.get("Content-Type") != "application/json":  # noqa: PLR2004
        return errors.for_status(response)
    return response


def _measure(response: HttpResponse, method: str | None) -> None:
    if response.status_code == 204:  # noqa: PLR2004
        del response["Content-Type"]
    elif response.status_code != 304:  # noqa: PLR2004 (its length would be that of the answer it stands for)
        headers.put(response, "Content-Length", str(len(response.content)))
    if method == "HEAD":
        response.content = b""
