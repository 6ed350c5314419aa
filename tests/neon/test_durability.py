"""What was answered is there, whatever happens to the database, and nothing is there twice or that was never sent."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.client import User
from tests.neon.conftest import Database, served
from tests.neon.load import ANSWER_SECONDS, timed
from tests.parts import Proxy

WRITERS, SECONDS = 4, 6.0  # of each server


@dataclass
class Writer:
    """Creates and changes tasks of its own, and remembers what it was told and what it does not know."""

    user: User
    promised: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Tasks as they were answered, by id."""
    unsure: dict[str, set[str]] = field(default_factory=dict)
    """Texts that may be there, by id, of changes that were answered 503."""
    sent: list[str] = field(default_factory=list)
    """Texts of all creations."""
    refused: int = 0

    def run(self, over: threading.Event) -> None:
        while not over.is_set():
            self._create()
            for task_id in list(self.promised)[-2:]:
                self._change(task_id)

    def _create(self) -> None:
        self.sent.append(str(uuid.uuid4()))
        if (task := self._ask("POST", "/tasks", {"text": self.sent[-1]}, 201)) is not None:
            self.promised[task["id"]] = task

    def _change(self, task_id: str) -> None:
        text = f"{self.promised[task_id]['text'][:36]} {uuid.uuid4()}"
        task = self._ask("PATCH", f"/tasks/{task_id}", {"text": text}, 200)
        if task is None:
            self.unsure.setdefault(task_id, set()).add(text)
        else:
            self.promised[task_id] = task
            self.unsure.pop(task_id, None)

    def _ask(self, method: str, path: str, body: dict[str, Any], expected: int) -> dict[str, Any] | None:
        request = timed(lambda: self.user.call(method, path, body))
        assert request.seconds < ANSWER_SECONDS
        assert request.answer.status in (expected, 503), request.answer.body
        if request.answer.status == expected:
            task: dict[str, Any] = request.answer.json
            return task
        self.refused += 1
        return None

    def verify(self) -> None:
        tasks = {task["id"]: task for task in self.user.get("/tasks").json["tasks"]}
        for task_id, promised in self.promised.items():
            assert tasks[task_id]["text"] in {promised["text"], *self.unsure.get(task_id, ())}
            assert task_id in self.unsure or tasks[task_id] == promised
        origins = Counter(task["text"][:36] for task in tasks.values())
        assert set(origins) <= set(self.sent), "nothing is there that was never sent"
        assert set(origins.values()) <= {1}, "nothing is there twice"


def _crash_again_and_again(database: Database, proxy: Proxy, over: threading.Event) -> None:
    breaks: list[Callable[[], None]] = [
        database.server.kill,
        lambda: proxy.cut(reset=True),
        lambda: database.server.stop("immediate"),
    ]
    for turn in range(1000):
        if over.wait(1.0):
            return
        breaks[turn % len(breaks)]()
        if turn % len(breaks) != 1:
            database.server.start()


def test_nothing_is_lost_or_doubled_while_the_database_is_killed(database: Database, direct: Proxy) -> None:
    over, url = threading.Event(), direct.to(database.api_url)
    with (
        served("gunicorn", database, url, WEB_CONCURRENCY="2") as gunicorn,
        served("uvicorn", database, url, WEB_CONCURRENCY="1") as uvicorn,
        ThreadPoolExecutor(2 * WRITERS + 1) as pool,
    ):
        users = [User(service, f"writer-{number}") for number, service in enumerate([gunicorn, uvicorn] * WRITERS)]
        writers = [Writer(user) for user in users]
        crashes = pool.submit(_crash_again_and_again, database, direct, over)
        runs = [pool.submit(writer.run, over) for writer in writers]
        time.sleep(SECONDS)
        over.set()
        for each in (crashes, *runs):
            each.result()
        for writer in writers:
            writer.verify()
            assert len(writer.promised) > 1
