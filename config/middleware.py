"""What every request has in common: an id, a log line, a host, a bounded body, HTTP's own methods, a known length."""

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Iterable

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from config import errors
from config.rate_limit import Quota

GetResponse = Callable[[HttpRequest], HttpResponseBase]

log = structlog.get_logger("tasks_api.request")

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
PROBES = frozenset({"/livez", "/readyz", "/health"})


def request_line(get_response: GetResponse) -> GetResponse:
    """Give the request its id and, once it is answered, its line in the log."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        offered = request.headers.get("X-Request-ID", "")
        request_id = offered if REQUEST_ID.fullmatch(offered) else str(uuid.uuid4())
        method = request.method
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = get_response(request)
        response["X-Request-ID"] = request_id
        log.info(
            "request",
            method=method,
            route=_route(request),
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000, 2),
            user=_user_digest(request),
        )
        return response

    return middleware


def _route(request: HttpRequest) -> str | None:
    """The pattern, never the path: ids are not for the log."""
    match = request.resolver_match
    return f"/{match.route}" if match else None


def _user_digest(request: HttpRequest) -> str | None:
    principal = getattr(request, "auth", None)
    if principal is None:
        return None
    return hashlib.blake2b(principal.user_id.encode(), digest_size=8, key=settings.SECRET_KEY.encode()[:64]).hexdigest()


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
    else:
        response["Content-Length"] = str(len(response.content))
    if method == "HEAD":
        response.content = b""
