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


def _cut_off(request: Callable[[], Answer], direct: Proxy) -> Answer:
    """The answer to a request whose statement arrived, while the database's answer was on its way for ever."""
    direct.delay(DELAY)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(request)
        time.sleep(1.5 * DELAY)
        direct.cut(reset=True)
        direct.resume()
        return answer.result()


def test_creation_is_found_to_be_done(alice: User, direct: Proxy) -> None:
    answer = _cut_off(lambda: alice.post("/tasks", {"text": "once"}), direct)
    assert answer.status == 201
    assert alice.get("/tasks").json == {"tasks": [answer.json], "count": 1}


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


def test_read_is_tried_again(alice: User, direct: Proxy) -> None:
    task = alice.task()
    assert _cut_off(lambda: alice.get(f"/tasks/{task['id']}"), direct).json == task
