"""Windows of the rate limit: exact, bounded, and no hindrance when their Redis is away."""

import io
import itertools
import json
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from config import windows
from config.rate_limit import RateLimit
from config.windows import MAX_WINDOWS, MemoryWindows, RedisWindows
from tests.parts import Redis

THREADS = 16


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns as often as they can, wherever they are."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.mark.usefixtures("hasty_threads")
def test_memory_is_exact_when_threads_begin_a_window_together() -> None:
    for _ in range(20):
        memory, start = MemoryWindows(60), Barrier(THREADS)

        def hits(memory: MemoryWindows = memory, start: Barrier = start) -> list[int]:
            start.wait()
            return [memory.hit("alice").hits for _ in range(8)]

        with ThreadPoolExecutor(THREADS) as pool:
            counted = [n for started in [pool.submit(hits) for _ in range(THREADS)] for n in started.result()]
        assert sorted(counted) == list(range(1, THREADS * 8 + 1))


def test_memory_begins_a_new_window_when_one_ends() -> None:
    memory = MemoryWindows(0.05)
    assert [memory.hit("alice").hits for _ in range(3)] == [1, 2, 3]
    time.sleep(0.06)
    window = memory.hit("alice")
    assert window.hits == 1
    assert window.seconds_left == pytest.approx(0.05, abs=0.01)


def test_memory_holds_no_more_than_it_may() -> None:
    memory = MemoryWindows(60, max_windows=100)
    for n in range(10_000):
        memory.hit(f"address-{n}")
        assert len(memory._windows) <= 100
    assert memory.hit("address-9999").hits == 2, "the oldest went, not the newest"


def test_memory_lets_ended_windows_go() -> None:
    memory = MemoryWindows(0.05)
    for n in range(1000):
        memory.hit(f"address-{n}")
    time.sleep(0.06)
    for n in range(500):
        memory.hit(f"new-{n}")
    assert len(memory._windows) <= 500


def test_flood_of_addresses_does_not_push_out_users() -> None:
    memory = windows.at(None, 60)
    memory["user"].hit("alice")
    for n in range(MAX_WINDOWS + 1):
        memory["address"].hit(f"address-{n}")
    window = memory["user"].hit("alice")
    assert window is not None
    assert window.hits == 2


def test_redis_counts_for_all_who_ask_it(redis: Redis) -> None:
    first, second = RedisWindows(redis.url, 60), RedisWindows(redis.url, 60)
    answers = [first.hit("shared"), second.hit("shared"), first.hit("shared")]
    assert [window and window.hits for window in answers] == [1, 2, 3]
    assert all(window and 59 < window.seconds_left <= 60 for window in answers)


def test_redis_tells_policies_identities_and_rates_apart(redis: Redis) -> None:
    """One Redis holds the windows of all of them."""
    minute, hour = RateLimit("10/minute", redis.url), RateLimit("10/hour", redis.url)
    for rate_limit, policy, identity in itertools.product((minute, hour), ("user", "address"), ("one", "two")):
        quota = rate_limit.hit(policy, identity)
        assert quota
        assert quota.remaining == 9


def test_redis_begins_a_new_window_when_one_ends(redis: Redis) -> None:
    shared = RedisWindows(redis.url, 1)
    assert [window and window.hits for window in (shared.hit("short"), shared.hit("short"))] == [1, 2]
    time.sleep(1.05)
    window = shared.hit("short")
    assert window
    assert window.hits == 1


@pytest.fixture(params=["refusing", "silent", "frozen"])
def away(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a Redis that refuses connections, takes them and says nothing, or has stopped to answer."""
    if request.param == "frozen":
        redis: Redis = request.getfixturevalue("redis")
        with redis.frozen():
            yield redis.url
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listener.listen(64)
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_redis_that_is_away_costs_little_and_one_log_line(away: str, log: io.StringIO) -> None:
    shared = RedisWindows(away, 60)
    started = time.monotonic()
    assert [shared.hit("alice") for _ in range(200)] == [None] * 200
    assert time.monotonic() - started < 2, "one timeout of 0.1 s; one for each request would make 20 s of it"
    (line,) = (line for line in log.getvalue().splitlines() if "rate_limit_storage_unavailable" in line)
    assert json.loads(line)["level"] == "warning"
    assert "127.0.0.1" not in line, "a URL may hold a password"


def test_requests_that_miss_redis_at_once_are_one_log_line(away: str, log: io.StringIO) -> None:
    shared = RedisWindows(away, 60)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(shared.hit, "abcdefgh")) == [None] * 8
    assert log.getvalue().count("rate_limit_storage_unavailable") == 1


def test_redis_that_is_back_counts_again_within_a_second_or_so(redis: Redis) -> None:
    shared = RedisWindows(redis.url, 60)
    with redis.frozen():
        assert shared.hit("healing") is None
    time.sleep(windows.PAUSE + 0.5)
    assert shared.hit("healing") is not None


def test_redis_that_restarts_between_two_requests_loses_none(redis: Redis) -> None:
    shared = RedisWindows(redis.url, 60)
    assert shared.hit("restart") is not None
    redis.kill()
    redis.start()
    assert shared.hit("restart") is not None, "the connection that broke meanwhile is noticed before it is used"
