"""Whose rows a statement may see: the user travels in the statement's own message, to the policies on the tables.

PostgreSQL takes a message of several statements for one transaction, so `SET LOCAL` holds for exactly the statement it
came with: no trip of its own, and nothing that a pooler in transaction mode could pass on to another client.
"""

from collections.abc import Iterable, Sequence
from contextvars import ContextVar, Token
from typing import Any, Self
from uuid import UUID

from psycopg import ClientCursor, Connection, NotSupportedError
from psycopg.pq import Escaping

# Within a transaction that failed PostgreSQL listens to nothing else, and these see no rows.
TRANSACTION_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK")

_user_id: ContextVar[str] = ContextVar("database_user_id", default="")  # nobody


class acting_as:  # noqa: N801 (read as a function is)
    """See and touch this user's rows only, whatever the statements say; without it, none."""

    __slots__ = ("_outside", "_user_id")

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id

    def __enter__(self) -> None:
        self._outside: Token[str] = _user_id.set(self._user_id)

    def __exit__(self, *_: object) -> None:
        _user_id.reset(self._outside)


class Cursor(ClientCursor[Any]):
    """The cursor that Django uses, which binds on the client's side, with the user in front of each statement.

    Without a user it says so: whatever a transaction, or another client of the pooler, said before does not count.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:  # noqa: ANN401 (psycopg's)
        if isinstance(query, str) and isinstance(params, list | tuple):
            statement = bound(self._conn, query, params)
        else:
            statement = self.mogrify(query, params)
        if statement.startswith(TRANSACTION_CONTROL):
            return super().execute(statement, **options)
        super().execute(for_user(self._conn, statement), **options)
        return self.set_result(-1)  # past the answers to SET and to all but the last statement

    def executemany(self, query: Any, params_seq: Iterable[Any], **options: Any) -> None:  # noqa: ANN401 (psycopg's)
        if options.get("returning"):
            raise NotSupportedError("row-level security and many results do not go together")
        for params in params_seq:
            self.execute(query, params)


def for_user(connection: Connection[Any], statement: str) -> str:
    """The statement with its user in front."""
    return f"SET LOCAL app.user_id = {_literal(connection, _user_id.get())};{statement}"


def set_user() -> tuple[str, list[str]]:
    """The same as a statement of its own, with its values."""
    return "SELECT set_config('app.user_id', %s, true)", [_user_id.get()]


def bound(connection: Connection[Any], query: str, values: Sequence[Any]) -> str:
    """The query with its values, as psycopg's `mogrify`, without an object for each of them."""
    return query % tuple([_literal(connection, value) for value in values])


def _literal(connection: Connection[Any], value: object) -> str:
    """The value as psycopg writes it; what is frequent and plain in a tenth of the time."""
    if type(value) is str and "\0" not in value:  # libpq would stop there, psycopg refuses it
        if "'" not in value and "\\" not in value:  # which alone are special
            return f"'{value}'"
        return bytes(Escaping(connection.pgconn).escape_literal(value.encode())).decode()
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return f" {value}"  # "-" and a negative one would make a comment
    if isinstance(value, UUID):
        return f"'{value}'::uuid"
    return ClientCursor(connection).mogrify("%s", [value])
