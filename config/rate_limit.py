"""How many requests a user, or the address of refused tokens, may make (`RATE_LIMIT`)."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import ceil

import limits
from django.conf import settings
from django.http import HttpRequest

from authjwt import security
from authjwt.principal import Principal
from authjwt.refusal import InvalidToken
from config import address, metrics, windows


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a limit after a request: `remaining` of `limit` requests for `reset` more seconds."""

    policy: str
    limit: int
    window: int
    remaining: int
    reset: int

    @property
    def headers(self) -> Iterator[tuple[str, str]]:
        """The fields of draft-ietf-httpapi-ratelimit-headers-11."""
        yield "RateLimit-Policy", f'"{self.policy}";q={self.limit};w={self.window}'
        yield "RateLimit", f'"{self.policy}";r={self.remaining};t={self.reset}'


class RateLimited(Exception):
    """The caller has made more requests than `quota` allows."""

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self.quota = quota


class RateLimit:
    """Counts requests by policy and identity, exactly, also under threads."""

    def __init__(self, rate: str, storage_url: str) -> None:
        self._item = limits.parse(rate)
        self._windows = windows.at(storage_url, self._item.get_expiry(), metrics.POLICIES)

    def hit(self, policy: str, identity: str) -> Quota | None:
        """Count one request. Raises RateLimited where it is one too many; None, to let it pass, without the storage."""
        window = self._windows[policy].hit(self._item.key_for(policy, identity))
        if window is None:
            return None
        limit, seconds = self._item.amount, self._item.get_expiry()
        quota = Quota(policy, limit, seconds, max(0, limit - window.hits), min(seconds, ceil(window.seconds_left)))
        if window.hits > limit:
            metrics.RATE_LIMITED.labels(policy).inc()
            raise RateLimited(quota)
        return quota


_one_thread = threading.Lock()  # two first requests at once must not make two storages, each with its own counters


def _configured() -> RateLimit | None:
    with _one_thread:
        return _make(settings.RATE_LIMIT, settings.REDIS_URL or "memory://")


@cache
def _make(rate: str, storage_url: str) -> RateLimit | None:
    return RateLimit(rate, storage_url) if rate else None


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
