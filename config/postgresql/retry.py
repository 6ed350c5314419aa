"""What is tried again when the database went away, how often, and what never is.

A compute that wakes, moves or restarts breaks what is under way and answers a moment later. The unit is a whole
operation: tried again at once, then after pauses, within the request's patience.
"""

import re
import threading
from collections.abc import Callable
from itertools import chain, repeat
from random import uniform
from typing import TypeVar

from django.db import InterfaceError, InternalError, OperationalError, connection

from config import metrics, tracebacks
from config.logging import Logger
from config.postgresql import patience
from config.postgresql.connection import NotConnected

Result = TypeVar("Result")
DatabaseFailure = OperationalError | InterfaceError | InternalError

log = Logger(__name__)

PAUSES = (0.0, 0.2, 0.4)  # seconds before the next attempts; the last before all that follow

# SQLSTATEs after which nothing was done: too many connections, starting up, serialization failure, deadlock.
UNDONE = frozenset({"53300", "57P03", "40001", "40P01"})
# The session ended, with the server, its neighbour or the network: whether the statement did is not known.
ENDED = re.compile(r"57P0[12]|08...")
# What no later attempt will cure. While it connects, libpq gives no SQLSTATE, only the server's words.
PERMANENT = re.compile(
    r"authentication failed|endpoint is disabled|quota|not permitted to log in|permission denied|certificate"
    r"|(database|role|user) .*does not exist|no such (database|user)|no pg_hba\.conf entry|channel binding"
    r"|unsupported startup parameter|read-only transaction|endpoint ID is not specified",
    re.IGNORECASE,
)
# Neon's words for a compute that is on its way, under the SQLSTATE of internal errors.
NEONS = "XX000"
READ_ONLY = "25006"
WAKING = re.compile(r"compute node|control plane", re.IGNORECASE)

_outage = threading.Event()  # no operation has succeeded since one ran out of patience


def call(operation: Callable[[], Result], *, repeatable: bool) -> Result:
    """Run `operation`, and run it again after a failure that passes.

    One that is not `repeatable` (done twice, it would answer something else) only if it is certain that nothing was
    done. During an outage, which others have waited for already, a failure is passed on at once.
    """
    pauses = chain(PAUSES, repeat(PAUSES[-1]))
    while True:
        metrics.DATABASE_IN_USE.inc()
        try:
            result = operation()
        except (OperationalError, InterfaceError, InternalError) as exc:
            if connection.in_atomic_block:  # the transaction is somebody else's, and so is the next attempt
                raise
            connection.close()
            failure = _renamed(exc)
            if not (passing(failure) and (repeatable or undone(failure))) or _outage.is_set():
                raise failure from exc.__cause__
            _pause(next(pauses) * uniform(0.5, 1.5), failure)  # noqa: S311 (jitter)
        else:
            _outage.clear()
            return result
        finally:
            metrics.DATABASE_IN_USE.dec()


def passing(exc: DatabaseFailure) -> bool:
    """Whether the same operation may succeed a moment later. What says no for good is named in the log."""
    if isinstance(exc, InternalError) or isinstance(exc.__cause__, patience.NoAnswer):
        return False
    if permanent := PERMANENT.search(str(exc)):
        log.error("database_refuses", reason=permanent[0].lower())
        return False
    sqlstate = _sqlstate(exc)
    return sqlstate in {None, NEONS} or sqlstate in UNDONE or bool(ENDED.fullmatch(sqlstate or ""))


def undone(exc: DatabaseFailure) -> bool:
    """Whether it is certain that the database did nothing of what it was asked."""
    return isinstance(exc.__cause__, NotConnected) or _sqlstate(exc) in UNDONE | {NEONS}


def _renamed(exc: DatabaseFailure) -> DatabaseFailure:
    """What Neon calls an internal error, of a compute that is away, is one of the connection; so is a replica's no."""
    neons = _sqlstate(exc) == NEONS and (WAKING.search(str(exc)) or PERMANENT.search(str(exc)))
    if neons or _sqlstate(exc) == READ_ONLY:
        exc, cause = OperationalError(*exc.args), exc.__cause__
        exc.__cause__ = cause
    return exc


def _pause(seconds: float, failure: DatabaseFailure) -> None:
    log.info("database_retry", **tracebacks.facts(failure.__cause__ or failure))
    try:
        patience.pause(seconds)
    except patience.NoAnswer:
        if patience.expired():
            _outage.set()
        raise failure from failure.__cause__


def _sqlstate(exc: DatabaseFailure) -> str | None:
    return getattr(exc.__cause__, "sqlstate", None)
