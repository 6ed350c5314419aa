"""How many requests a user, or the address of refused tokens, may make (`RATE_LIMIT`)."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import ceil

import limits
import structlog
from django.conf import settings
from django.http import HttpRequest
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from authjwt import security
from authjwt.principal import Principal
from authjwt.refusal import InvalidToken

log = structlog.get_logger(__name__)


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
        """The fields of the IETF draft "RateLimit header fields for HTTP"."""
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
        self._strategy = FixedWindowRateLimiter(storage_from_string(storage_url, wrap_exceptions=True))

    def hit(self, policy: str, identity: str) -> Quota | None:
        """Count one request. Raises RateLimited where it is one too many; None, to let it pass, without the storage."""
        try:
            allowed = self._strategy.hit(self._item, policy, identity)
            stats = self._strategy.get_window_stats(self._item, policy, identity)
        except StorageError as exc:
            log.warning("rate_limit_storage_unavailable", exception=type(exc).__name__)
            return None
        window = self._item.get_expiry()
        reset = min(window, max(0, ceil(stats.reset_time - time.time())))
        quota = Quota(policy, self._item.amount, window, stats.remaining, reset)
        if not allowed:
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
        if rate_limit is None:
            return super().__call__(request)
        try:
            principal = super().__call__(request)
        except InvalidToken:
            request.quota = rate_limit.hit("address", request.META.get("REMOTE_ADDR", ""))  # type: ignore[attr-defined]
            raise
        request.quota = rate_limit.hit("user", principal.user_id)  # type: ignore[attr-defined]
        return principal
