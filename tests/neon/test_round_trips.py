"""One network round trip for each operation on tasks, row-level security included, counted at the wire."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.client import Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import at_once, lists
from tests.parts import Proxy

UNLESS = {"If-None-Match": '"another"'}
OPERATIONS: dict[str, Callable[[User, str], int]] = {
    "list": lambda user, _: user.get("/tasks").status,
    "page": lambda user, _: user.get("/tasks?limit=1&sort=order&q=c&completed=false").status,
    "create": lambda user, _: user.post("/tasks", {"text": "Count"}).status,
    "get": lambda user, path: user.get(path).status,
    "replace": lambda user, path: user.put(path, {"text": "Counted", "completed": True}).status,
    "update": lambda user, path: user.patch(path, {"completed": False}).status,
    "update nothing": lambda user, path: user.patch(path, {}).status,
    "changes": lambda user, _: user.get("/tasks/changes?limit=3").status,
    "get if changed": lambda user, path: user.get(path, headers=UNLESS).status,
    "replace if unchanged": lambda user, path: user.put(path, {"text": "a", "completed": True}, headers=UNLESS).status,
    "update if unchanged": lambda user, path: user.patch(path, {"completed": False}, headers=UNLESS).status,
    "update nothing if unchanged": lambda user, path: user.patch(path, {}, headers=UNLESS).status,
    "delete if unchanged": lambda user, path: user.delete(path, headers=UNLESS).status,
    "delete": lambda user, path: user.delete(path).status,
    "me": lambda user, _: user.get("/me").status,
    "export": lambda user, _: user.get("/me/export").status,
}


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn", "granian"])
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
    user, statement = wire.statements if len(wire.statements) > 1 else wire.statements[0].split(";")
    assert user in ("SELECT set_config('app.user_id', $1, true)", "SET LOCAL app.user_id = 'alice-trips'")
    assert statement.lstrip("(").partition(" ")[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")


def test_list_that_has_not_changed_is_one_round_trip(server: Live, direct: Proxy) -> None:
    alice = User(server, "alice-trips")
    known = {"If-None-Match": alice.get("/tasks").headers["etag"]}
    assert alice.get("/tasks", headers=known).status == 304
    with direct.counting() as wire:
        assert alice.get("/tasks", headers=known).status == 304
    assert (wire.round_trips, wire.connections_opened) == (1, 0)
    assert "text" not in wire.statements[-1]


def test_keyed_creation_and_its_replay_are_one_round_trip_each(server: Live, direct: Proxy) -> None:
    alice, key = User(server, "alice-trips"), {"Idempotency-Key": f"{uuid.uuid4()}"}
    for replayed in (None, "true"):
        with direct.counting() as wire:
            answer = alice.post("/tasks", {"text": "Count"}, headers=key)
        assert (answer.status, answer.headers.get("idempotency-replayed")) == (201, replayed)
        assert (wire.round_trips, wire.connections_opened, len(wire.statements)) == (1, 0, 1)


def test_move_is_one_round_trip(server: Live, direct: Proxy) -> None:
    alice = User(server, f"alice-{uuid.uuid4()}")
    first, second, third = (alice.task()["id"] for _ in range(3))
    for place in ({"after": second}, {"to": "first"}, {"before": third}, {"before": third}):
        with direct.counting() as wire:
            assert alice.post(f"/tasks/{first}/move", place).status == 200
        assert (wire.round_trips, wire.connections_opened, len(wire.statements)) == (1, 0, 1)


def test_clearing_is_one_round_trip(server: Live, direct: Proxy) -> None:
    alice = User(server, "alice-trips")
    with direct.counting() as wire:
        assert alice.post("/tasks/clear-completed").status == 200
    assert (wire.round_trips, wire.connections_opened, len(wire.statements)) == (1, 0, 1)


def test_batch_is_one_message_in_a_transaction(server: Live, direct: Proxy) -> None:
    """With a key, two more: to look for its answer, and to keep it."""
    alice, creation = User(server, f"alice-{uuid.uuid4()}"), {"op": "create", "task": {"text": "Count"}}
    for headers, messages in (({}, 3), ({"Idempotency-Key": f"{uuid.uuid4()}"}, 5)):
        with direct.counting() as wire:
            assert alice.post("/tasks/batch", {"operations": [creation] * 100}, headers=headers).status == 200
        assert (wire.round_trips, wire.connections_opened, len(wire.statements)) == (messages, 0, messages)


def test_connecting_costs_the_login_only(database: Database) -> None:
    """No SET, no ping, no question about versions: the first request's statement follows the login."""
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy(database.server.address))
        fresh = stack.enter_context(served("gunicorn", database, proxy.to(database.api_url), WEB_CONCURRENCY="1"))
        with proxy.counting() as wire:
            assert User(fresh, "alice-login").get("/tasks").status == 200
    assert wire.connections_opened == 1
    user, _ = wire.statements
    assert "app.user_id" in user
