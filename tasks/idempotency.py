"""Requests that may be sent again: what came with an Idempotency-Key is done once, and its answer kept for a day.

The answer is written in the transaction of what was done, so that there are both or neither, whatever breaks in
between. That transaction begins with a lock on the key: the same request once more waits for it, and finds the answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.db import OperationalError, transaction

from tasks import statements
from tasks.models import IdempotencyKey, IdempotencyKeyQuerySet
from tasks.statements import Parameter, Statement

LOCK_NOT_AVAILABLE = "55P03"


class KeyReused(Exception):
    """The key came with another request before."""


class StillRunning(Exception):
    """The first request with the key has not come to an end, and was waited for."""


@dataclass(frozen=True, slots=True)
class Key:
    """What the same request is known by; `digest` is of all that makes another one of it."""

    user_id: str
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept, but for the headers that all answers have."""

    status: int
    headers: Mapping[str, str]
    body: str
    replayed: bool = False


def once(key: Key, operation: Callable[[], Answer]) -> Answer:
    """Do it and keep its answer, in one transaction; if that has been done, return the answer it had.

    What raises leaves nothing behind, and the key free. Raises KeyReused, StillRunning.
    """
    with _or_still_running(key), transaction.atomic(IdempotencyKey.objects.db):
        for kept in _find().rows(user_id=key.user_id, key=key.key):
            return _answer(key, kept, replayed=True)
        answer = operation()
        _keep().count(**_values(key, answer.status, answer.headers), body=answer.body)
        return answer


def insert_once(
    key: Key, inserting: Statement, status: int, headers: Mapping[str, str], values: dict[str, Any]
) -> Answer:
    """The same in one message to the database, which `inserting` made of an INSERT; `values` are its own."""
    with _or_still_running(key):
        ((*kept, known),) = inserting.rows(**values | _values(key, status, headers))
    return _answer(key, kept, replayed=known)


def inserting(insert: Statement) -> Statement:
    """What `insert_once` sends for an INSERT that returns the body of the answer, and its entity tag."""
    known, done = _known(), statements.only_where("NOT EXISTS (SELECT FROM known)", insert)
    rows = "SELECT %s, %s, %s, %s, %s::jsonb || jsonb_build_object('ETag', tag), body FROM done"
    kept, *given = _keeping(rows, "user_id", "key", *_KEPT[:3])
    columns = ", ".join(_KEPT)
    return _of_key(
        f"{_ALONE}WITH known AS ({known.sql}), done (body, tag) AS ({done.sql}), kept AS ({kept} RETURNING {columns})"
        f" SELECT {columns}, true FROM known UNION ALL SELECT {columns}, false FROM kept",
        *_parameters("key", "user_id"),
        *known.parameters,
        *done.parameters,
        *given,
    )


def purge() -> int:
    """Delete the keys that have expired, of all users, and return how many those were."""
    return IdempotencyKey.objects.using("operator").expired().remove_by_age("created_at")


def _values(key: Key, status: int, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "user_id": key.user_id,
        "key": key.key,
        "digest": key.digest,
        "status": status,
        "headers": orjson.dumps(dict(headers)).decode(),
    }


def _answer(key: Key, kept: Sequence[Any], *, replayed: bool) -> Answer:
    digest, status, headers, body = kept
    if bytes(digest) != key.digest:
        raise KeyReused
    return Answer(status, orjson.loads(headers), body, replayed)


@contextmanager
def _or_still_running(key: Key) -> Iterator[None]:
    """Tell a lock on the key, of the first request, from all others that may be waited for in vain."""
    try:
        yield
    except OperationalError as exc:
        if getattr(exc.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        ((free,),) = _try_lock().rows(user_id=key.user_id, key=key.key)
        if free:
            raise
        raise StillRunning from exc


_KEPT = ("digest", "status", "headers", "body")
_LOCK = "advisory_xact_lock(hashtextextended(%s, hashtextextended(%s, 0)))"
# Less than PROMPT_SECONDS of config/postgresql/patience.py; what comes after it has the time that it always has.
_ALONE = f"SELECT set_config('lock_timeout', '900ms', true), pg_{_LOCK};SET LOCAL lock_timeout TO DEFAULT;"


@cache
def _try_lock() -> Statement:
    return _of_key(f"SELECT pg_try_{_LOCK}", *_parameters("key", "user_id"))


@cache
def _find() -> Statement:
    known = _known()
    return _of_key(_ALONE + known.sql, *_parameters("key", "user_id"), *known.parameters)


@cache
def _keep() -> Statement:
    return _of_key(*_keeping("VALUES (%s, %s, %s, %s, %s::jsonb, %s)", "user_id", "key", *_KEPT))


def _known() -> Statement:
    keys: IdempotencyKeyQuerySet = IdempotencyKey.objects.owned_by(_parameter("user_id"))
    return statements.select(keys.filter(key=_parameter("key")).living().values_list(*_KEPT))


def _keeping(rows: str, *names: str) -> tuple[Any, ...]:
    """The INSERT of an answer, over an expired one if there is one, and its parameters."""
    columns = ("user_id", "key", *_KEPT)
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in (*_KEPT, "created_at"))
    table = IdempotencyKey._meta.db_table
    sql = f"INSERT INTO {table} ({', '.join(columns)}) {rows} ON CONFLICT (user_id, key) DO UPDATE SET {changes}"
    return sql, *_parameters(*names)


def _of_key(sql: str, *parameters: Any) -> Statement:  # noqa: ANN401 (values, and those that are known later)
    return Statement(sql, parameters, IdempotencyKey.objects.db)


def _parameters(*names: str) -> list[Parameter]:
    return [_parameter(name) for name in names]


def _parameter(name: str) -> Parameter:
    return Parameter(name, IdempotencyKey._meta.get_field(name))
