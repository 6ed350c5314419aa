"""What is measured, for Prometheus (docs/observability.md). config.exposition brings the processes together.

Every label takes its values from a closed list, so that no client can make a new time series.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Gauge, Histogram

from authjwt import jwks
from authjwt.refusal import Reason
from config import exposition

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED: Final = "unmatched"  # the route of all paths that have none; also the name of the view that answers them
POLICIES: Final = ("user", "address", "login")
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds

REQUESTS = Counter("http_requests", "Requests answered", ["method", "route", "status"])
DURATION = Histogram("http_request_duration_seconds", "Time to the response", ["method", "route"], buckets=BUCKETS)
IN_PROGRESS = Gauge("http_requests_in_progress", "Requests being worked on", multiprocess_mode="livesum")

REFUSED_TOKENS = Counter("tasks_api_refused_tokens", "Tokens refused, by reason", ["reason"])
RATE_LIMITED = Counter("tasks_api_rate_limited_requests", "Requests beyond a limit, by policy", ["policy"])
RATE_LIMIT_STORAGE_FAILURES = Counter("tasks_api_rate_limit_storage_failures", "Questions that Redis did not answer")

DATABASE_CONNECTIONS = Gauge("tasks_api_database_connections", "Connections open", multiprocess_mode="livesum")
DATABASE_IN_USE = Gauge("tasks_api_database_in_use", "Operations at the database", multiprocess_mode="livesum")
DATABASE_WAITING = Gauge("tasks_api_database_waiting", "Threads that wait long for it", multiprocess_mode="livesum")

JWKS_FETCHES = Counter("tasks_api_jwks_fetches", "Fetches of the signing keys, by outcome", ["outcome"])
JWKS_READ_AT = Gauge(exposition.JWKS_READ_AT, "Shown as an age", multiprocess_mode="liveall")

# From the start, so that the first of its kind is an increase: alerts on rates would miss it.
for reason in Reason:
    REFUSED_TOKENS.labels(reason.slug)
for policy in POLICIES:
    RATE_LIMITED.labels(policy)
for outcome in ("success", "failure"):
    JWKS_FETCHES.labels(outcome)

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def requests(get_response: GetResponse) -> GetResponse:
    """Middleware, the outermost: count and time every request that reaches Django."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        method = request.method if request.method in METHODS else "other"
        started = time.perf_counter()
        IN_PROGRESS.inc()
        try:
            response = get_response(request)
        finally:
            IN_PROGRESS.dec()
        answered, duration = _series(method, route(request) or UNMATCHED, response.status_code)
        answered.inc()
        duration.observe(time.perf_counter() - started)
        return response

    return middleware


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, str(status)), DURATION.labels(method, route)


def route(request: HttpRequest) -> str | None:
    """The pattern, never the path: ids are for nobody. None for a path that is no route's, and for files."""
    match = request.resolver_match
    return f"/{match.route}" if match and match.url_name != UNMATCHED else None


def _count_fetch(succeeded: bool) -> None:  # noqa: FBT001 (the observer's one argument)
    JWKS_FETCHES.labels("success" if succeeded else "failure").inc()
    if succeeded:
        JWKS_READ_AT.set(time.time())


jwks.observe(_count_fetch)
