"""Statements that the server keeps by a name, parsed and planned: a message brings nothing but their values.

A name is a digest of its statement, so that all who share a session through a pooler mean the same by it. A pooler in
transaction mode has to know of them, as PgBouncer does since 1.21 (`max_prepared_statements`); behind one that does
not, this process gives them up.
"""

import threading
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import NamedTuple

from psycopg import Error, errors
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat
from psycopg.generators import send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Wait

from config import tracebacks
from config.logging import Logger
from config.postgresql.connection import Connection, checked

log = Logger(__name__)

Step = tuple[str, Sequence[object]]  # SQL with %s for each of its values, and these

# The server does not know the name, or knows it already, or its tables have changed: nothing was done.
UNKEPT = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement, errors.FeatureNotSupported)

_given_up = threading.Event()


class _Message(NamedTuple):
    name: bytes
    sql: bytes
    values: Sequence[Buffer | None]


def ask(connection: Connection, *steps: Step) -> PGresult | None:
    """Run the steps in one transaction and one round trip. Returns the last one's result, raises psycopg's errors.

    None: nothing was done, because statements are not kept here.
    """
    if _given_up.is_set():
        return None
    messages = [_message(connection, *step) for step in steps]
    try:
        with connection.lock:
            return checked(connection.wait(_exchange(connection, messages)))
    except UNKEPT as exc:
        _given_up.set()
        log.warning("prepared_statements_given_up", **tracebacks.facts(exc))
        return None


def _exchange(connection: Connection, messages: list[_Message]) -> PQGen[list[PGresult]]:
    """What the server answers to each. A pipeline, up to its end, is one transaction."""
    pgconn, fresh = connection.pgconn, [one for one in messages if one.name not in connection.prepared]
    pgconn.enter_pipeline_mode()
    for one in fresh:
        pgconn.send_prepare(one.name, one.sql)
    for one in messages:
        pgconn.send_query_prepared(one.name, one.values)
    pgconn.pipeline_sync()
    yield from send(pgconn)
    results = yield from _results(pgconn)
    pgconn.exit_pipeline_mode()
    kept = zip(fresh, results, strict=False)
    connection.prepared.update(one.name for one, result in kept if result.status == ExecStatus.COMMAND_OK)
    return results


def _results(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """All, up to the end of the pipeline, with which it is committed: one more, if that failed.

    They come at once: psycopg's own way, one after another, gives other threads a turn more often.
    """
    results: list[PGresult] = []
    try:
        while True:
            while pgconn.is_busy():
                yield Wait.R
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:  # comes after each
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)
    except Error:
        if results:
            checked(results)  # the server has hung up, and said why
        raise


def _message(connection: Connection, sql: str, values: Sequence[object]) -> _Message:
    count = len(values)
    return _Message(*_named(sql, count), connection.transformer.dump_sequence(values, [PyFormat.TEXT] * count))


@cache  # there are as many as ask to be kept
def _named(sql: str, count: int) -> tuple[bytes, bytes]:
    """Name and SQL, with numbered parameters."""
    numbered = (sql % tuple(f"${number}" for number in range(1, count + 1))).encode()
    return blake2b(numbered, digest_size=12).hexdigest().encode(), numbered
