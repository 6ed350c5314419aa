"""How many requests a user, or the address of refused tokens, may make (`RATE_LIMIT`)."""

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

    def __init__(self, rate: str, redis_url: str | None) -> None:
        self._limit, self._seconds = Rate.parse(rate)
        self._windows = windows.at(redis_url, self._seconds)

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


def at(rate: str) -> RateLimit:
    """The process's one limit of this rate."""
    where = rate, settings.REDIS_URL
    return _limits.get(where) or _limits.setdefault(where, RateLimit(*where))  # the first of two at once


class BearerAuth(security.BearerAuth):
    """Authenticates every operation on tasks, and counts: accepted tokens by user, refused ones by address."""

    def __call__(self, request: HttpRequest) -> Principal:
        rate_limit = at(settings.RATE_LIMIT) if settings.RATE_LIMIT else None
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
