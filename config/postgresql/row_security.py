"""Whose rows a statement may see: the user travels in the statement's own message, to the policies on the tables.

PostgreSQL takes a message of several statements for one transaction, so `SET LOCAL` holds for exactly the statement it
came with: no trip of its own, and nothing that a pooler in transaction mode could pass on to another client.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

from psycopg import ClientCursor, NotSupportedError

# Within a transaction that failed PostgreSQL listens to nothing else, and these see no rows.
TRANSACTION_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK")

_user_id: ContextVar[str] = ContextVar("database_user_id", default="")  # nobody


@contextmanager
def acting_as(user_id: str) -> Iterator[None]:
    """See and touch this user's rows only, whatever the statements say; without it, none."""
    token = _user_id.set(user_id)
    try:
        yield
    finally:
        _user_id.reset(token)


class Cursor(ClientCursor[Any]):
    """The cursor that Django uses, which binds on the client's side, with the user in front of each statement.

    Without a user it says so: whatever a transaction, or another client of the pooler, said before does not count.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:  # noqa: ANN401 (psycopg's)
        statement = self.mogrify(query, params)
        if statement.startswith(TRANSACTION_CONTROL):
            return super().execute(statement, **options)
        super().execute(f"{self.mogrify('SET LOCAL app.user_id = %s', [_user_id.get()])};{statement}", **options)
        self.nextset()  # past the answer to SET
        return self

    def executemany(self, query: Any, params_seq: Iterable[Any], **options: Any) -> None:  # noqa: ANN401 (psycopg's)
        if options.get("returning"):
            raise NotSupportedError("row-level security and many results do not go together")
        for params in params_seq:
            self.execute(query, params)
