"""What every request has in common: an id, a log line, a host, a bounded body, HTTP's own methods, a known length."""

import hashlib
import time
from collections.abc import Callable, Iterable

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from authjwt.principal import Principal
from config import correlation, errors, headers, metrics
from config.postgresql import patience
from config.rate_limit import Quota

GetResponse = Callable[[HttpRequest], HttpResponseBase]

log = structlog.get_logger("tasks_api.request")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
ADMIN_SECONDS = 20.0
PROBES = frozenset({"/livez", "/readyz", "/health"})


def request_line(get_response: GetResponse) -> GetResponse:
    """Give the request its id and, once it is answered, its line in the log."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        request_id = correlation.begin(request.headers.get("X-Request-ID", ""), request.headers.get("traceparent", ""))
        method = request.method if request.method in METHODS else "_OTHER"  # the name that OpenTelemetry gives them
        response = get_response(request)
        response["X-Request-ID"] = request_id
        principal: Principal | None = getattr(request, "auth", None)
        log.info(
            "request",
            method=method,
            route=_route(request),
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000, 2),
            user=principal and user_digest(principal.user_id),
        )
        return response

    return middleware


def _route(request: HttpRequest) -> str | None:
    """The pattern, never the path: ids are not for the log. None for a path that is no route's, and for files."""
    match = request.resolver_match
    return f"/{match.route}" if match and match.url_name != metrics.UNMATCHED else None


def user_digest(user_id: str) -> str:
    """The name of a user in the log: the same for all their requests, and nobody's without SECRET_KEY."""
    return hashlib.blake2b(user_id.encode(), digest_size=8, key=settings.SECRET_KEY.encode()[:64]).hexdigest()


def security_headers(get_response: GetResponse) -> GetResponse:
    """Tell browsers what an answer is not for. Django's own middleware has some of these, and no CSP."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        for name, value in headers.EVERYWHERE.items():
            response.headers.setdefault(name, value)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if response.status_code != 304:  # noqa: PLR2004 (the page that the browser kept would take this for its own)
            response.headers.setdefault("Content-Security-Policy", headers.PAGE if is_page else headers.NOTHING)
        if is_page:  # the admin's, some of which Django says nothing of
            response.headers.setdefault("Cache-Control", "no-store, private")
        return response

    return middleware


def http_semantics(get_response: GetResponse) -> GetResponse:
    """RFC 9110 where Django and ninja leave gaps: HEAD, OPTIONS, Allow, one shape of errors, a known length."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        method = request.method
        if method == "HEAD" and not request.path.startswith(settings.STATIC_URL):  # files know HEAD themselves
            request.method = "GET"
        response = _shaped(get_response(request), method)
        if isinstance(response, HttpResponse):
            _measure(response, method)
        for name, value in _quota_headers(request):
            response[name] = value
        return response

    return middleware


def operators_patience(get_response: GetResponse) -> GetResponse:
    """Let the admin wait for the database for longer than the API does, and not for ever."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with patience.at_most(ADMIN_SECONDS):
            return get_response(request)

    return middleware


def admission(get_response: GetResponse) -> GetResponse:
    """Turn away who calls us by another name, or sends more than we take, before anything is read."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        try:
            if request.path not in PROBES:  # they come from load balancers, by address
                request.get_host()
            if int(request.META.get("CONTENT_LENGTH") or 0) > settings.MAX_BODY_BYTES:
                raise RequestDataTooBig
        except SuspiciousOperation as exc:
            return errors.to_response(exc)
        return get_response(request)

    return middleware


def _quota_headers(request: HttpRequest) -> Iterable[tuple[str, str]]:
    quota: Quota | None = getattr(request, "quota", None)
    return quota.headers if quota else ()


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
        response["Content-Length"] = str(len(response.content))
    if method == "HEAD":
        response.content = b""
