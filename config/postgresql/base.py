"""Django looks for a backend's DatabaseWrapper in a module of this name."""

import time
from collections.abc import Sequence
from typing import Any, cast

import dj_database_url
import psycopg
from django.db.backends.postgresql import base
from psycopg.pq.abc import PGresult

from config import embedded
from config.postgresql import patience, prepared
from config.postgresql.connection import Connection, NotConnected, connect
from config.postgresql.row_security import Cursor, bound, for_user, set_user

POOL_SECONDS = 0.5  # a request asks the pool again after them
FRESH_SECONDS = 30.0  # a connection used within them, whose server said nothing since, needs no asking


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with connections that heal, that nobody waits for too long, and that know whose rows they may see."""

    connection: Connection | None
    isolation_level = psycopg.IsolationLevel.READ_COMMITTED

    def get_connection_params(self) -> dict[str, Any]:
        """Parameters for libpq; for the embedded server asked anew each time, because a restart may move its port."""
        if role := self.settings_dict.get("EMBEDDED_ROLE"):
            server = dj_database_url.parse(embedded.url(role=role))
            if server["PORT"] != self.settings_dict["PORT"] and self.alias in self._connection_pools:  # type: ignore[attr-defined]
                self.close_pool()  # of connections to where the server was
            self.settings_dict.update({key: server[key] for key in ("HOST", "PORT", "USER", "PASSWORD")})
        parameters: dict[str, Any] = super().get_connection_params()
        return parameters | ({"cursor_factory": Cursor} if self.settings_dict.get("ROW_SECURITY") else {})

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        """Connect, or take a connection out of the pool. Raises NotConnected."""
        self._used_at = time.monotonic()
        return self._pooled() if self.settings_dict["OPTIONS"].get("pool") else connect(**conn_params)

    def is_usable(self) -> bool:
        """Whether the connection still works. Only one long unused is asked; after an error a new one is better."""
        before, self._used_at = self._used_at, time.monotonic()
        if self.connection is None or self.errors_occurred or not self.connection.alive:
            return False
        return self._used_at - before < FRESH_SECONDS or super().is_usable()

    def fetch(self, sql: str, values: Sequence[Any], *, prepare: bool = False) -> tuple[list[tuple[Any, ...]], int]:
        """Run a statement as a cursor does, in a third of the calls. Returns its rows, and how many it touched.

        In a transaction, and where somebody looks on (`connection.queries`), a cursor it is. `prepare` has the server
        keep the statement.
        """
        if self.in_atomic_block or self.queries_logged or self.execute_wrappers:
            with self.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else [], cursor.rowcount
        self.close_if_health_check_failed()
        self.ensure_connection()
        connection = cast("Connection", self.connection)
        with self.wrap_database_errors:
            result = (prepare and self._ask_prepared(connection, sql, values)) or self._ask(connection, sql, values)
            return _rows(connection, result), result.command_tuples or 0

    def _ask_prepared(self, connection: Connection, sql: str, values: Sequence[Any]) -> PGresult | None:
        user = [set_user()] if self.settings_dict.get("ROW_SECURITY") else []
        return prepared.ask(connection, *user, (sql, values))

    def _ask(self, connection: Connection, sql: str, values: Sequence[Any]) -> PGresult:
        statement = bound(connection, sql, values)
        return connection.ask(for_user(connection, statement) if self.settings_dict.get("ROW_SECURITY") else statement)

    def close_if_unusable_or_obsolete(self) -> None:
        """Between requests: have the connection checked before it is used again, or give it back to the pool."""
        if not self.in_atomic_block:
            super().close_if_unusable_or_obsolete()

    def _pooled(self) -> Connection:
        """A connection whose server has not hung up. The pool's own check would ask each, and back off."""
        left = patience.remaining()
        self.pool.open()
        while True:
            try:
                # Not for long at once: whoever waits does not make the pool connect again, whoever comes does.
                connection: Connection = self.pool.getconn(None if left is None else min(left, POOL_SECONDS))
            except psycopg.OperationalError as exc:
                self._forget_the_gone()
                raise NotConnected(str(exc)) from exc
            if connection.alive:
                return connection
            connection.close()
            self.pool.putconn(connection)

    def _forget_the_gone(self) -> None:
        """Until it connects again, the pool keeps everybody who has waited in vain, with all that they hold."""
        with self.pool._lock:
            for waiting in [one for one in self.pool._waiting if one.error]:
                self.pool._waiting.remove(waiting)


def _rows(connection: Connection, result: PGresult) -> list[tuple[Any, ...]]:
    if not result.nfields:
        return []
    connection.transformer.set_pgresult(result)
    rows: list[tuple[Any, ...]] = connection.transformer.load_rows(0, result.ntuples, tuple)
    return rows
