"""How long a request waits for the database, and how many of this process's threads may wait long at once.

PostgreSQL's own timeouts hold only while PostgreSQL answers. A compute that is away, a pooler that queues, packets that
vanish and a frozen process are bounded here, on the client's side.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

import psycopg

from config import metrics

PROMPT_SECONDS = 1.0  # whoever waits longer belongs to the crowd
CROWD = 12  # of 16 threads: the others go on saying 503

Answer = TypeVar("Answer")

_deadline: ContextVar[float | None] = ContextVar("database_deadline", default=None)
_apart: ContextVar[bool] = ContextVar("database_apart", default=False)


class NoAnswer(psycopg.OperationalError):
    """The database did not answer in time; whether it did what it was asked is not known."""


class NotAsked(NoAnswer):
    """The database was not even asked."""


class _Crowd:
    """The threads that wait long. While it is full and nobody gets an answer, one at a time goes on asking."""

    def __init__(self) -> None:
        self._one_thread = threading.Lock()
        self._scouting = threading.Lock()
        self._size = 0
        self._silent = False

    def answered(self) -> None:
        """Note that the database answers."""
        self._silent = False

    def approach(self, ask: Callable[[], Answer]) -> Answer:
        """Ask from the edge. Raises NotAsked where too many wait already, and in vain."""
        if not (self._silent and self._size >= CROWD):
            return ask()
        if not self._scouting.acquire(blocking=False):
            raise NotAsked("too many requests are waiting for the database")
        try:
            return ask()
        finally:
            self._scouting.release()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Wait in here. Raises NoAnswer if there is no room."""
        with self._one_thread:
            if self._size >= CROWD:
                self._silent = True
                raise NoAnswer("too many requests are waiting for the database")
            self._size += 1
        try:
            with metrics.DATABASE_WAITING.track_inprogress():
                yield
        finally:
            with self._one_thread:
                self._size -= 1


_crowd = _Crowd()


class at_most:  # noqa: N801 (read as a function is)
    """Wait for the database so long in all; without it (commands, migrations), as long as it takes.

    Who waits `apart` from the crowd is not counted.
    """

    __slots__ = ("_apart", "_outside", "_seconds")

    def __init__(self, seconds: float, *, apart: bool = False) -> None:
        self._seconds, self._apart = seconds, apart

    def __enter__(self) -> None:
        self._outside = _deadline.set(time.monotonic() + self._seconds), _apart.set(self._apart)

    def __exit__(self, *_: object) -> None:
        deadline, place = self._outside
        _deadline.reset(deadline)
        _apart.reset(place)


def remaining() -> float | None:
    """Seconds that are left, never negative; None without a bound."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def expired() -> bool:
    """Whether the deadline has come."""
    return remaining() == 0.0


def pause(seconds: float) -> None:
    """Sleep, at most until the deadline. Raises NoAnswer when that has come, or where the crowd has no room."""
    left = remaining()
    with _crowd.joined():
        time.sleep(seconds if left is None else min(left, seconds))
    if expired():
        raise NoAnswer("there is no time left to try again")


def wait(ask: Callable[[float | None], Answer], expires: type[Exception]) -> Answer:
    """Return what `ask(timeout)` returns; it raises `expires` after `timeout` seconds and can be asked again.

    Raises NoAnswer at the deadline, and where the crowd is too large.
    """
    left = remaining()
    if left is None:
        return ask(None)
    if _apart.get():
        return _last(ask, expires)
    try:
        answer = _crowd.approach(partial(ask, min(left, PROMPT_SECONDS)))
    except expires:
        with _crowd.joined():
            answer = _last(ask, expires)
    _crowd.answered()
    return answer


def _last(ask: Callable[[float | None], Answer], expires: type[Exception]) -> Answer:
    try:
        return ask(remaining())
    except expires:
        raise NoAnswer("the database did not answer in time") from None
