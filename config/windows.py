"""Where requests are counted: in windows begun by their first request, in this process or in Redis."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from config import metrics, tracebacks
from config.logging import Logger

MAX_WINDOWS: Final = 100_000  # held in memory at once: about 30 MB
TIMEOUT: Final = 0.1  # seconds that Redis has for each step: to be connected, to answer
PREFIX: Final = "tasks-api/"  # of keys in Redis, which others may use, too
PAUSE: Final = 1.0  # seconds between two questions while it does not answer

log = Logger(__name__)


class Window(NamedTuple):
    """A window with one more request counted in it."""

    hits: int
    seconds_left: float


def at(redis_url: str | None, seconds: int) -> Mapping[str, "MemoryWindows | RedisWindows"]:
    """Windows of so many seconds for each policy: in memory, or in Redis if it has a URL."""
    if redis_url is None:  # each with room of its own: a flood of addresses must not push out users
        return {policy: MemoryWindows(seconds) for policy in metrics.POLICIES}
    return dict.fromkeys(metrics.POLICIES, RedisWindows(redis_url, seconds))


class MemoryWindows:
    """In this process: exact under threads, and bounded whatever number of keys comes along."""

    def __init__(self, seconds: float, max_windows: int = MAX_WINDOWS) -> None:
        self._seconds = seconds
        self._max_windows = max_windows
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()  # the first to end comes first
        self._lock = threading.Lock()

    def hit(self, key: str) -> Window:
        with self._lock:
            now = time.monotonic()
            hits, end = self._windows.get(key, (0, now))
            if end <= now:
                self._windows.pop(key, None)
                self._make_room(now)
                hits, end = 0, now + self._seconds
            self._windows[key] = (hits + 1, end)
            return Window(hits + 1, end - now)

    def _make_room(self, now: float) -> None:
        """For each new window at most two old ones go: all that have ended do in time, and nobody waits for it."""
        for _ in range(2):
            if self._windows and (len(self._windows) >= self._max_windows or self._first_end() <= now):
                self._windows.popitem(last=False)

    def _first_end(self) -> float:
        return next(iter(self._windows.values()))[1]


# Counts and tells the time left in one round trip. A key that has lost its expiry gets a new one.
_HIT = b"""
local hits = redis.call("INCR", KEYS[1])
local left = redis.call("PTTL", KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call("PEXPIRE", KEYS[1], left)
end
return {hits, left}
"""


class RedisWindows:
    """In Redis, for all processes and machines that ask the same one.

    After a failure no request asks, and so none waits, until a thread that tries once a second has had an answer.
    """

    def __init__(self, url: str, seconds: int) -> None:
        from redis import Redis, RedisError  # noqa: PLC0415 (a twentieth of a start that does without)

        self._seconds = seconds
        storage = Redis.from_url(url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT)
        self._script = storage.register_script(_HIT)
        self._failure = RedisError
        self._away = False
        self._lock = threading.Lock()  # for changing it

    def hit(self, key: str) -> Window | None:
        if self._away:
            return None
        try:
            return self._ask(key, self._seconds)
        except self._failure as exc:
            self._leave_alone(exc)
            return None

    def _ask(self, key: str, seconds: int) -> Window:
        hits, milliseconds = self._script([f"{PREFIX}{key}"], [seconds * 1000])
        return Window(int(hits), int(milliseconds) / 1000)

    def _leave_alone(self, exc: Exception) -> None:
        """Log the first failure and the recovery, and no request in between: that would be one trouble more."""
        metrics.RATE_LIMIT_STORAGE_FAILURES.inc()
        with self._lock:
            if self._away:
                return
            threading.Thread(target=self._recover, name="rate-limit-redis", daemon=True).start()
            self._away = True
        log.warning("rate_limit_storage_unavailable", **tracebacks.facts(exc))

    def _recover(self) -> None:
        """Try what requests will do, and not merely to connect: a Redis that takes no writes is away, too."""
        while True:
            time.sleep(PAUSE)
            try:
                self._ask("recovery", seconds=1)
            except self._failure:
                metrics.RATE_LIMIT_STORAGE_FAILURES.inc()
            else:
                break
        with self._lock:
            self._away = False
        log.warning("rate_limit_storage_available")
