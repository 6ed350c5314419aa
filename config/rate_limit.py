"""How many requests a user, or the address of refused tokens, may make (`RATE_LIMIT`)."""

import threading
from math import ceil
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest

from authjwt import security
from authjwt.principal import Principal
from authjwt.refusal import InvalidToken
from config import address, metrics, windows
from config.rate import Rate


class Quota(NamedTuple):
    """What is left of a limit after a request: `remaining` of `limit` requests for `reset` more seconds."""

    policy: str
    limit: int
    window: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers-11."""
        policy, limit, window, remaining, reset = self
        return {
            "RateLimit-Policy": f'"{policy}";q={limit};w={window}',
            "RateLimit": f'"{policy}";r={remaining};t={reset}',
        }


class RateLimited(Exception):
    """The caller has made more requests than `quota` allows."""

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self.quota = quota


class RateLimit:
    """Counts requests by policy and identity, exactly, also under threads."""

    def __init__(self, rate: str, storage_url: str) -> None:
        self._limit, self._seconds = Rate.parse(rate)
        self._windows = windows.at(storage_url, self._seconds, metrics.POLICIES)

    def hit(self, policy: str, identity: str) -> Quota | None:
        """Count one request. Raises RateLimited where it is one too many; None, to let it pass, without the storage."""
        window = self._windows[policy].hit(f"{policy}/{identity}/{self._limit}/{self._seconds}")
        if window is None:
            return None
        hits, seconds_left = window
        limit, seconds = self._limit, self._seconds
        quota = Quota(policy, limit, seconds, max(0, limit - hits), min(seconds, ceil(seconds_left)))
        if hits > limit:
            metrics.RATE_LIMITED.labels(policy).inc()
            raise RateLimited(quota)
        return quota


_limits: dict[tuple[str, str | None], RateLimit] = {}
_one_thread = threading.Lock()  # two first requests at once must not make two storages, each with its own counters


def _configured() -> RateLimit | None:
    rate, redis_url = where = settings.RATE_LIMIT, settings.REDIS_URL
    return _limits.get(where) or (_make(rate, redis_url) if rate else None)


def _make(rate: str, redis_url: str | None) -> RateLimit:
    with _one_thread:
        if (rate, redis_url) not in _limits:
            _limits[rate, redis_url] = RateLimit(rate, redis_url or "memory://")
        return _limits[rate, redis_url]


class BearerAuth(security.BearerAuth):
    """Authenticates every operation on tasks, and counts: accepted tokens by user, refused ones by address."""

    def __call__(self, request: HttpRequest) -> Principal:
        rate_limit = _configured()
        try:
            principal = super().__call__(request)
        except InvalidToken as exc:
            metrics.REFUSED_TOKENS.labels(exc.reason).inc()
            if rate_limit:
                request.quota = rate_limit.hit("address", address.client(request))  # type: ignore[attr-defined]
            raise
        if rate_limit:
            request.quota = rate_limit.hit("user", principal.user_id)  # type: ignore[attr-defined]
        return principal
