"""A connection that no request waits for longer than it has patience."""

import select
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import Future
from functools import cached_property, partial
from typing import Any, TypeVar

import psycopg
from psycopg import abc
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import _WaitTimeout, error_from_result  # the first: the only sign of an expired `timeout`
from psycopg.generators import execute
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from config import metrics
from config.postgresql import patience

Result = TypeVar("Result")

ATTEMPTS = 16  # to connect at once, those included that nobody waits for any more


class NotConnected(psycopg.OperationalError):
    """No connection could be made, so no statement was sent."""


class Connection(psycopg.Connection[Any]):
    """psycopg's connection within the request's patience."""

    # When an established connection last gave no answer: then those that were used before are not to be trusted either.
    doubted_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (psycopg's)
        super().__init__(*args, **kwargs)
        self.answered_at = time.monotonic()
        self.prepared: set[bytes] = set()  # names of statements that the server keeps
        self._counted = True
        metrics.DATABASE_CONNECTIONS.inc()

    def close(self) -> None:
        """Close the connection, if it is not."""
        if self._counted:
            self._counted = False
            metrics.DATABASE_CONNECTIONS.dec()
        super().close()

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Wait for the server; a connection whose answer is still to come cannot be used again."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            result = patience.wait(lambda seconds: super(Connection, self).wait(gen, interval, seconds), _WaitTimeout)
        except patience.NotAsked:
            raise
        except patience.NoAnswer:
            if patience.expired():
                Connection.doubted_at = time.monotonic()
            self.close()
            raise
        self.answered_at = time.monotonic()
        return result

    def ask(self, statements: str) -> PGresult:
        """Send statements in one message, and return the last one's result. Raises psycopg's errors."""
        with self.lock:
            return checked(self.wait(self._asking(statements.encode())))

    def _asking(self, statements: bytes) -> PQGen[list[PGresult]]:
        self.pgconn.send_query(statements)
        results: list[PGresult] = yield from execute(self.pgconn)
        return results

    @cached_property
    def transformer(self) -> abc.Transformer:
        """Between Python's values and PostgreSQL's. Not before the connection is made: then it has its types."""
        return Transformer(self)

    @property
    def alive(self) -> bool:
        """Whether nothing speaks against it: no sign of the server's since its last answer, no silence of others."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return self.answered_at > Connection.doubted_at and not poll.poll(0)


def checked(results: list[PGresult]) -> PGresult:
    """The last of the results. Raises psycopg's error for the first that is one."""
    for result in results:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise error_from_result(result, encoding="utf-8")
    return results[-1]


_attempts = threading.BoundedSemaphore(ATTEMPTS)
_late: defaultdict[tuple[Any, ...], deque[Connection]] = defaultdict(deque)
"""Connections that were made when nobody waited for them any more, by where they lead: for whoever comes next."""


def connect(**parameters: Any) -> Connection:  # noqa: ANN401 (libpq's)
    """Connect within the request's patience. Raises NotConnected."""
    try:
        return Connection.connect(**parameters) if patience.remaining() is None else _connect_aside(parameters)
    except patience.NoAnswer:
        raise
    except (psycopg.OperationalError, OSError, RuntimeError) as exc:  # libpq's; no more files, no more threads
        raise NotConnected(str(exc)) from exc


def _connect_aside(parameters: dict[str, Any]) -> Connection:
    """Connect in a thread that can be left behind: libpq bounds each address by itself, and the resolver not at all."""
    late = _late[tuple(parameters.get(name) for name in ("host", "port", "dbname", "user", "application_name"))]
    while late:
        connection = late.popleft()
        if connection.alive:
            return connection
        connection.close()
    if not _attempts.acquire(blocking=False):
        raise psycopg.OperationalError("as many attempts to connect as there may be are under way")
    outcome: Future[Connection] = Future()
    try:
        threading.Thread(target=_fulfil, args=(outcome, parameters), name="connect", daemon=True).start()
    except RuntimeError:
        _attempts.release()
        raise
    try:
        return patience.wait(outcome.result, TimeoutError)
    except patience.NoAnswer:
        outcome.add_done_callback(partial(_keep, late))
        raise


def _fulfil(outcome: Future[Connection], parameters: dict[str, Any]) -> None:
    try:
        outcome.set_result(Connection.connect(**parameters))
    except BaseException as exc:  # noqa: BLE001 (it is raised where the connection is waited for)
        outcome.set_exception(exc.with_traceback(None))  # its frames would keep the socket open, in a ring
    finally:
        _attempts.release()


def _keep(late: deque[Connection], outcome: Future[Connection]) -> None:
    if outcome.exception() is None:
        late.append(outcome.result())
