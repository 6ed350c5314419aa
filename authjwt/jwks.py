"""Signing keys published by an issuer, held so that no request waits for a key that is already known."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Collection
from math import inf, isfinite
from typing import Final, NamedTuple

from authjwt.fetch import DEADLINE, FetchFailed, fetch
from authjwt.keys import ASYMMETRIC_ALGORITHMS, KeysUnavailable, VerificationKey
from authjwt.snapshot import Snapshot

TTL: Final = 300.0
"""Seconds after which a key that the issuer no longer publishes is refused."""

MAX_STALE: Final = 24 * 3600.0
"""Seconds for which known keys are used while the issuer cannot be reached."""

GRACE: Final = 0.25
"""Seconds a request waits for a refresh if nobody asked for so long that the keys are older than the TTL."""

PATIENCE: Final = 0.5
"""Seconds that any number of requests wait for an unknown key; more than a fetch usually takes."""

WAITING: Final = 8
"""Requests that wait for it longer, up to the deadline of the fetch."""

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0
_LONGEST_RETRY_AFTER: Final = 30.0

_SEARCHES: Final = 3
_SEARCH_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)
_observers: list[Callable[[bool], None]] = []


def observe(observer: Callable[[bool], None]) -> None:
    """Have `observer` called after every fetch: with True if it brought keys. It must neither raise nor block."""
    _observers.append(observer)


class Reading(NamedTuple):
    """The keys that are known at a time."""

    keys: int
    age: float | None
    """Seconds since they were read; None before that."""

    failing: bool
    """Whether the last fetch brought nothing."""


class JWKSKeys:
    """The keys behind a JWKS URL. Nothing is fetched before the first token asks for a key.

    Fetches run in a thread of their own, one at a time. Who holds a known key goes on with it: a refresh begins at
    half the TTL, in the background. Who needs an unknown one waits for a fetch that began after the token came, since
    issuers sign with a new key in the instant they publish it; an allowance keeps made-up key ids from turning into a
    flood of fetches. Failures are retried after a growing pause and leave the known keys in use.
    """

    def __init__(  # noqa: PLR0913 (every option by name)
        self,
        url: str,
        *,
        algorithms: Collection[str] = ASYMMETRIC_ALGORITHMS,
        ttl: float = TTL,
        grace: float = GRACE,
        deadline: float = DEADLINE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.algorithms = frozenset(algorithms)
        self._url = url
        self._ttl = ttl
        self._grace = grace
        self._deadline = deadline
        self._clock = clock
        self._snapshot = Snapshot()
        self._failures = 0
        self._retry_at = 0.0
        self._searches = _Allowance()
        self._places = threading.Semaphore(WAITING)
        self._flight: _Flight | None = None
        self._lock = threading.Lock()  # for changing any of the fields above; reading needs none; never held during I/O
        _instances.add(self)

    def candidates(self, algorithm: str, kid: str | None) -> tuple[VerificationKey, ...]:
        """Return the keys of this name, fetching the set again if there is none. See `KeySource`."""
        if algorithm not in self.algorithms:
            return ()
        arrived_at = self._clock()
        snapshot = self._current(arrived_at)
        while True:
            keys = snapshot.candidates(algorithm, kid)
            if keys or snapshot.as_of >= arrived_at or not self._search(arrived_at):
                return keys
            snapshot = self._snapshot

    @property
    def reading(self) -> Reading:
        """What is known now. Never fetches, never waits."""
        snapshot = self._snapshot
        age = self._clock() - snapshot.as_of
        return Reading(snapshot.size, age if isfinite(age) else None, failing=self._failures > 0)

    def _current(self, now: float) -> Snapshot:
        snapshot = self._snapshot
        age = now - snapshot.as_of
        if age < self._ttl / 2:
            return snapshot
        failing = self._failures > 0
        flight = self._depart(now)
        if age >= MAX_STALE:
            self._await(flight, now, patience=PATIENCE if failing else inf)
        elif age >= self._ttl and flight is not None and not failing:
            flight.landed.wait(flight.started_at + self._grace - now)
        return self._snapshot

    def _search(self, arrived_at: float) -> bool:
        """Look for a key that the snapshot lacks. False if the allowance is spent, that is, it was read just now."""
        flight = self._depart(self._clock(), searching=True)
        if flight is None and not self._failures:
            return False
        self._await(flight, arrived_at)
        return True

    def _await(self, flight: "_Flight | None", arrived_at: float, patience: float = PATIENCE) -> None:
        """Wait until a fetch has succeeded. Raises KeysUnavailable.

        After a moment only a few go on waiting, and nobody does once a fetch has failed: else a handful of made-up
        key ids could hold all threads of a server that its known users need.
        """
        if flight is not None:
            give_up_at = min(arrived_at, flight.started_at) + self._deadline
            landed = flight.landed.wait(min(patience, give_up_at - self._clock()))
            if not landed and not self._failures and self._places.acquire(blocking=False):
                try:
                    flight.landed.wait(give_up_at - self._clock())
                finally:
                    self._places.release()
            if flight.succeeded:
                return
        raise KeysUnavailable(self._retry_at - self._clock())

    def _depart(self, now: float, *, searching: bool = False) -> "_Flight | None":
        """Join the fetch under way or start one. None while it is too early for another."""
        with self._lock:
            if self._flight is not None:
                return self._flight
            if now < self._retry_at or (searching and not self._searches.take(now)):
                return None
            flight = self._flight = _Flight(now, searching=searching)
        try:
            threading.Thread(target=self._fly, args=(flight,), name="authjwt-jwks", daemon=True).start()
        except RuntimeError:  # no more threads, or the process is about to end
            self._land(flight, None)
        return flight

    def _fly(self, flight: "_Flight") -> None:
        snapshot, retry_after = None, 0.0
        try:
            document = fetch(self._url, deadline=self._deadline)
            snapshot = Snapshot.of(document.body, self.algorithms, flight.started_at)
        except FetchFailed as exc:
            retry_after = exc.retry_after or 0.0
            _log.warning("signing keys not fetched from %s: %s", self._url, exc)
        except ValueError as exc:
            _log.warning("signing keys not fetched from %s: no JWK Set: %s", self._url, exc)
        finally:
            self._land(flight, snapshot, retry_after)

    def _land(self, flight: "_Flight", snapshot: Snapshot | None, retry_after: float = 0.0) -> None:
        with self._lock:
            if flight.searching and (snapshot is None or snapshot.kids - self._snapshot.kids):
                self._searches.give_back()  # a failure is paid for by the pause, and a new key was worth it
            if snapshot is None:
                pause = min(_FIRST_PAUSE * 2 ** min(self._failures, 10), _LONGEST_PAUSE)
                self._failures += 1
                self._retry_at = self._clock() + max(pause, min(retry_after, _LONGEST_RETRY_AFTER))
            else:
                self._failures, self._retry_at = 0, 0.0
                self._snapshot = snapshot
                flight.succeeded = True
            self._flight = None
        flight.landed.set()
        for observer in _observers:
            observer(flight.succeeded)

    def forget_parent(self) -> None:
        """After a fork: the thread of a fetch under way, and whoever held the lock, stayed in the parent."""
        self._lock = threading.Lock()
        self._places = threading.Semaphore(WAITING)
        self._flight = None


class _Flight:
    """One fetch under way."""

    def __init__(self, started_at: float, *, searching: bool) -> None:
        self.started_at = started_at
        self.searching = searching
        self.landed = threading.Event()
        self.succeeded = False


class _Allowance:
    """So many searches at once, and one more every so many seconds."""

    def __init__(self) -> None:
        self._left = float(_SEARCHES)
        self._as_of = 0.0

    def take(self, now: float) -> bool:
        self._left = min(_SEARCHES, self._left + (now - self._as_of) / _SEARCH_SECONDS)
        self._as_of = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        self._left += 1


_instances: "weakref.WeakSet[JWKSKeys]" = weakref.WeakSet()


def _forget_parents() -> None:
    for keys in list(_instances):
        keys.forget_parent()


os.register_at_fork(after_in_child=_forget_parents)
