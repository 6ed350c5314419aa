"""The connection ends after the database did what it was asked, and before it could say so."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.client import Answer, Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import at_once, lists
from tests.parts import Proxy

DELAY = 0.4  # seconds in each direction


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def service(request: pytest.FixtureRequest, database: Database, direct: Proxy) -> Iterator[Live]:
    with served(request.param, database, direct.to(database.api_url), WEB_CONCURRENCY="1") as service:
        yield service


@pytest.fixture
def alice(service: Live) -> User:
    alice = User(service, f"alice-{uuid.uuid4()}")
    at_once(lists(alice, 2))
    return alice


def _cut_off(request: Callable[[], Answer], direct: Proxy, message: int = 1) -> Answer:
    """The answer to a request whose statement arrived, while the database's answer was on its way for ever."""
    direct.delay(DELAY)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(request)
        time.sleep((2 * message - 0.5) * DELAY)
        direct.cut(reset=True)
        direct.resume()
        return answer.result()


def test_creation_is_found_to_be_done(alice: User, direct: Proxy) -> None:
    answer = _cut_off(lambda: alice.post("/tasks", {"text": "once"}), direct)
    assert answer.status == 201
    assert alice.get("/tasks").json == {"tasks": [answer.json], "count": 1, "next_cursor": None}


def test_creation_with_a_key_is_found_to_be_done(alice: User, direct: Proxy) -> None:
    headers = {"Idempotency-Key": "once"}
    answer = _cut_off(lambda: alice.post("/tasks", {"text": "once"}, headers=headers), direct)
    assert answer.status == 201
    again = alice.post("/tasks", {"text": "once"}, headers=headers)
    assert (again.body, again.headers["location"]) == (answer.body, answer.headers["location"])
    assert alice.get("/tasks").json == {"tasks": [answer.json], "count": 1, "next_cursor": None}


def test_change_is_found_to_be_done(alice: User, direct: Proxy) -> None:
    task = alice.task()
    answer = _cut_off(lambda: alice.patch(f"/tasks/{task['id']}", {"completed": True}), direct)
    assert answer.status == 200
    assert alice.get(f"/tasks/{task['id']}").json == answer.json
    assert answer.json["updated_at"] == answer.json["completed_at"], "changed once"


def test_deletion_that_nobody_knows_of_is_said_to_be_unknown(alice: User, direct: Proxy) -> None:
    """Tried again it would find nothing, and say 404 of a task that it has deleted."""
    path = f"/tasks/{alice.task()['id']}"
    assert _cut_off(lambda: alice.delete(path), direct).status == 503
    assert alice.get(path).status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_conditional_change_that_nobody_knows_of_is_said_to_be_unknown(method: str, alice: User, direct: Proxy) -> None:
    """Tried again it would find the task changed, by itself, and say 412."""
    created = alice.post("/tasks", {"text": "a"})
    path, headers = created.headers["location"], {"If-Match": created.headers["etag"]}
    document = {"text": "b", "completed": False}
    assert _cut_off(lambda: alice.call(method, path, document, headers=headers), direct).status == 503
    assert alice.get(path).json["text"] == "b"


BATCH = {"operations": [{"op": "create", "task": {"text": text}} for text in ("first", "second")]}


@pytest.mark.parametrize(("message", "tasks"), [(1, 0), (2, 0), (3, 2)], ids=["BEGIN", "operations", "COMMIT"])
def test_batch_is_done_or_not_when_it_is_cut_off(message: int, tasks: int, alice: User, direct: Proxy) -> None:
    answer = _cut_off(lambda: alice.post("/tasks/batch", BATCH), direct, message)
    assert answer.status == 503
    assert alice.get("/tasks").json["count"] == tasks


@pytest.mark.parametrize("message", [3, 5], ids=["operations", "COMMIT"])
def test_batch_with_a_key_is_tried_again(message: int, alice: User, direct: Proxy) -> None:
    headers = {"Idempotency-Key": "once"}
    answer = _cut_off(lambda: alice.post("/tasks/batch", BATCH, headers=headers), direct, message)
    again = alice.post("/tasks/batch", BATCH, headers=headers)
    assert (again.status, again.headers["idempotency-replayed"]) == (200, "true")
    assert answer.status == 503 or answer.json == again.json
    assert alice.get("/tasks").json["count"] == len(BATCH["operations"])


def test_move_is_tried_again(alice: User, direct: Proxy) -> None:
    task, other = alice.task(), alice.task()
    answer = _cut_off(lambda: alice.post(f"/tasks/{task['id']}/move", {"before": other["id"]}), direct)
    assert (answer.status, answer.json) == (200, alice.get(f"/tasks/{task['id']}").json)


def test_clearing_that_nobody_knows_of_is_said_to_be_unknown(alice: User, direct: Proxy) -> None:
    alice.task(completed=True)
    assert _cut_off(lambda: alice.post("/tasks/clear-completed"), direct).status == 503
    assert alice.get("/tasks").json["count"] == 0


def test_read_is_tried_again(alice: User, direct: Proxy) -> None:
    task = alice.task()
    assert _cut_off(lambda: alice.get(f"/tasks/{task['id']}"), direct).json == task
