"""One network round trip for each operation on tasks, row-level security included, counted at the wire."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.client import Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import at_once, lists
from tests.parts import Proxy

OPERATIONS: dict[str, Callable[[User, str], int]] = {
    "list": lambda user, _: user.get("/tasks").status,
    "create": lambda user, _: user.post("/tasks", {"text": "Count"}).status,
    "get": lambda user, path: user.get(path).status,
    "replace": lambda user, path: user.put(path, {"text": "Counted", "completed": True}).status,
    "update": lambda user, path: user.patch(path, {"completed": False}).status,
    "update nothing": lambda user, path: user.patch(path, {}).status,
    "delete": lambda user, path: user.delete(path).status,
}


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def server(request: pytest.FixtureRequest, database: Database, direct: Proxy) -> Iterator[Live]:
    with served(request.param, database, direct.to(database.api_url), WEB_CONCURRENCY="1") as server:
        at_once(lists(User(server, "alice-trips"), 40))  # so that each thread has its connection
        yield server


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_is_one_round_trip_and_one_statement(operation: str, server: Live, direct: Proxy) -> None:
    alice = User(server, "alice-trips")
    path = f"/tasks/{alice.task()['id']}"
    with direct.counting() as wire:
        assert OPERATIONS[operation](alice, path) < 300
    assert (wire.round_trips, wire.connections_opened) == (1, 0)
    (message,) = wire.statements
    user, _, statement = message.partition(";")
    assert user == "SET LOCAL app.user_id = 'alice-trips'"
    assert statement.partition(" ")[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")
    assert ";" not in statement


def test_connecting_costs_the_login_only(database: Database) -> None:
    """No SET, no ping, no question about versions: the first request's statement follows the login."""
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy(database.server.address))
        fresh = stack.enter_context(served("gunicorn", database, proxy.to(database.api_url), WEB_CONCURRENCY="1"))
        with proxy.counting() as wire:
            assert User(fresh, "alice-login").get("/tasks").status == 200
    assert wire.connections_opened == 1
    assert len(wire.statements) == 1
