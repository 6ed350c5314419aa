"""Is the service alive, ready, healthy? Without a token, without waiting, and without keeping the database awake."""

import mmap
import struct
import threading
import time
from functools import cached_property
from typing import Annotated, Literal

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from config import __version__, errors, tracebacks
from config.logging import Logger
from config.postgresql import patience

ANSWER_SECONDS = 0.08  # of the 100 ms that a caller of /health waits at most
ASK_SECONDS = 2.0  # then the question is asked once more, over a new connection
READY_SECONDS = 5.0  # /readyz asks the database at most this often

log = Logger(__name__)

router = Router(tags=["Health"])


Version = Annotated[str, Field(description="Version of the service", examples=[__version__])]


class Health(Schema):
    """The service reaches its database."""

    status: Literal["healthy"]
    database: Literal["connected"]
    version: Version


class Unhealthy(errors.Error):
    """The service does not reach its database."""

    status: Literal["unhealthy"]
    database: Literal["disconnected"]
    version: Version


class Alive(Schema):
    """The process answers."""

    status: Literal["alive"]


class Ready(Schema):
    """The service can work."""

    status: Literal["ready"]


class _Latest:
    """The database's latest answer, known to all workers that were forked after this was loaded."""

    _record = struct.Struct("d?")

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._record.size)

    def note(self, asked_at: float, *, passed: bool) -> None:
        self._memory[:] = self._record.pack(asked_at, passed)

    def younger_than(self, seconds: float) -> bool | None:
        """What it was, or None where it is older."""
        asked_at, passed = self._record.unpack(self._memory[:])
        return passed if time.monotonic() - asked_at < seconds else None


class _Check:
    """One question to the database, asked by a thread of its own, which nobody has to wait for."""

    def __init__(self, connection: BaseDatabaseWrapper, latest: _Latest) -> None:
        self.started_at = time.monotonic()
        self._connection = connection
        self._latest = latest
        self._passed = False
        self.done = threading.Event()
        threading.Thread(target=self._ask, name="database-probe", daemon=True).start()

    def passed(self) -> bool:
        """Whether the database has answered, within the time that a caller waits."""
        return self.done.wait(ANSWER_SECONDS) and self._passed

    def _ask(self) -> None:
        # A connection that broke since the last question says nothing of the database as it is: hence the second try.
        failure = self._select() and self._select()
        if failure and self._latest.younger_than(READY_SECONDS) is not False:  # else the log has it: anybody may ask
            log.warning("database_unavailable", **tracebacks.facts(failure.__cause__ or failure))
        self._passed = failure is None
        self._latest.note(self.started_at, passed=self._passed)
        self.done.set()

    def _select(self) -> Exception | None:
        """What went wrong, if anything did."""
        try:
            self._connection.close_if_unusable_or_obsolete()  # as at the beginning of a request
            with patience.at_most(ASK_SECONDS, apart=True), self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Exception as exc:  # noqa: BLE001 (whatever went wrong, the answer is no)
            self._connection.close()
            return exc
        return None


class DatabaseProbe:
    """Asks over a connection of its own, one question at a time, so that a database that hangs holds up nobody."""

    def __init__(self) -> None:
        self._one_caller = threading.Lock()
        self._latest = _Latest()
        self._check: _Check | None = None

    def connected(self, *, max_age: float = 0.0) -> bool:
        """Whether the database answers: now, or to a question that any worker asked at most `max_age` seconds ago."""
        with self._one_caller:
            if self._check is None or self._check.done.is_set():
                if (latest := self._latest.younger_than(max_age)) is not None:
                    return latest
                self._check = _Check(self._connection, self._latest)
            check = self._check
        return check.passed()

    @cached_property
    def _connection(self) -> BaseDatabaseWrapper:
        connection = connections.create_connection(DEFAULT_DB_ALIAS)
        connection.inc_thread_sharing()
        return connection

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


probe = DatabaseProbe()


@router.get(
    "/health", operation_id="getHealth", summary="Check the database", auth=None, response={200: Health, 503: Unhealthy}
)
def get_health(request: HttpRequest) -> HttpResponse:
    """Whether the service reaches its database. Answers within 100 ms, also when the database hangs."""
    if probe.connected():
        return errors.never_stored(200, {"status": "healthy", "database": "connected", "version": __version__})
    state = {"status": "unhealthy", "database": "disconnected", "version": __version__}
    error = errors.body(503, "The database cannot be reached")
    return errors.never_stored(503, state | error, {"Retry-After": str(errors.RETRY_AFTER_SECONDS)})


@router.get("/livez", operation_id="getLiveness", summary="Check the process", auth=None, response=Alive)
def get_liveness(request: HttpRequest) -> HttpResponse:
    """Whether the process answers. Never touches the database, so that probes do not keep it awake."""
    return errors.never_stored(200, {"status": "alive"})


@router.get(
    "/readyz",
    operation_id="getReadiness",
    summary="Check readiness",
    auth=None,
    response={200: Ready, 503: errors.Error},
)
def get_readiness(request: HttpRequest) -> HttpResponse:
    """Whether the service can serve tasks. Asks the database at most once in 5 seconds."""
    if probe.connected(max_age=READY_SECONDS):
        return errors.never_stored(200, {"status": "ready"})
    return errors.unavailable("The database cannot be reached; try again")
