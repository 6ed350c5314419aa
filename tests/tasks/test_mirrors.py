"""Copies that are kept by polling the feed, while all kinds of writers write: at every poll a prefix of the truth."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from django.db import connections

from tasks.importing import import_tasks
from tasks.models import Task
from tasks.parsing import Record
from tests import live
from tests.client import Live, User

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

TURNS = 30
State = dict[str, str]  # the text of each task, by id


@dataclass
class Writer:
    """One that knows what its tasks were after each of its commits."""

    user: User
    dice: random.Random
    history: list[State] = field(default_factory=lambda: [{}])

    @contextmanager
    def session(self) -> Iterator[None]:
        """What the writer needs for its turns."""
        yield

    def run(self) -> None:
        with self.session():
            for turn in range(TURNS):
                state = dict(self.history[-1])
                self.write(state, f"{type(self).__name__} {turn}")
                self.history.append(state)

    def write(self, state: State, text: str) -> None:
        """Create, change or delete one."""
        choice = self.dice.random()
        if not state or choice < 0.4:
            state[self.create(text)] = text
        elif choice < 0.8:
            task = self.dice.choice(list(state))
            self.change(task, text)
            state[task] = text
        else:
            task = self.dice.choice(list(state))
            self.delete(task)
            del state[task]

    def create(self, text: str) -> str:
        raise NotImplementedError

    def change(self, task: str, text: str) -> None:
        raise NotImplementedError

    def delete(self, task: str) -> None:
        raise NotImplementedError


class Api(Writer):
    def create(self, text: str) -> str:
        return str(self.user.task(text)["id"])

    def change(self, task: str, text: str) -> None:
        assert self.user.patch(f"/tasks/{task}", {"text": text}).status == 200

    def delete(self, task: str) -> None:
        assert self.user.delete(f"/tasks/{task}").status == 204


class Sql(Writer):
    """Takes its time before it commits, and sometimes does not; sometimes does several things at once."""

    @contextmanager
    def session(self) -> Iterator[None]:
        with psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"]) as self._session:
            self._session.execute("SET lock_timeout = '20s'")
            yield

    def write(self, state: State, text: str) -> None:
        before = dict(state)
        for part in range(self.dice.randint(1, 3)):
            super().write(state, f"{text}.{part}")
            self._session.execute("SELECT pg_sleep(0.01)")
        if self.dice.random() < 0.2:
            self._session.rollback()
            state.clear()
            state |= before
        self._session.commit()

    def create(self, text: str) -> str:
        task = str(uuid.uuid4())
        insert = "INSERT INTO tasks_task (id, user_id, text) VALUES (%s, %s, %s)"
        self._session.execute(insert, [task, self.user.sub, text])
        return task

    def change(self, task: str, text: str) -> None:
        self._session.execute("UPDATE tasks_task SET text = %s WHERE id = %s", [text, task])

    def delete(self, task: str) -> None:
        self._session.execute("DELETE FROM tasks_task WHERE id = %s", [task])


class Operator(Writer):
    """As the admin and the commands write."""

    @contextmanager
    def session(self) -> Iterator[None]:
        try:
            yield
        finally:
            connections.close_all()  # this thread's

    def create(self, text: str) -> str:
        task = {"id": str(uuid.uuid4()), "text": text, "completed": False, "order": 0, "completed_at": None}
        times = dict.fromkeys(("created_at", "updated_at"), "2020-01-01T00:00:00.000000Z")
        import_tasks(str(self.user.sub), [Record(1, task | times)])
        return str(task["id"])

    def change(self, task: str, text: str) -> None:
        Task.objects.using("operator").filter(pk=task).change(text=text)

    def delete(self, task: str) -> None:
        Task.objects.using("operator").filter(pk=task).remove()


@dataclass
class Mirror:
    """A copy, and what it was whenever it had caught up."""

    user: User
    limit: int
    since: str = ""
    state: State = field(default_factory=dict)
    seen: list[State] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)

    def follow(self, over: threading.Event) -> None:
        while not over.is_set():
            self.catch_up()

    def catch_up(self) -> None:
        while self._poll():
            pass
        self.seen.append(dict(self.state))

    def _poll(self) -> bool:
        feed = self.user.get(f"/tasks/changes?limit={self.limit}{self.since and f'&since={self.since}'}").json
        for change in feed["changes"]:
            if change["type"] == "upsert":
                self.state[change["task"]["id"]] = change["task"]["text"]
                self.changes.append((change["task"]["id"], change["task"]["text"]))
            else:
                self.state.pop(change["id"], None)
                self.changes.append((change["id"], change["deleted_at"]))
        self.since = feed["next_since"]
        return bool(feed["has_more"])


@pytest.mark.parametrize("seed", range(2))
def test_every_copy_is_a_prefix_of_the_truth(seed: int, gunicorn: Live) -> None:
    users = [User(gunicorn, f"{name}-{uuid.uuid4()}") for name in ("alice", "bob")]
    kinds: list[Callable[[User, random.Random], Writer]] = [Api, Api, Sql, Sql, Operator]
    writers = [kind(user, random.Random(f"{seed} {n}")) for user in users for n, kind in enumerate(kinds)]  # noqa: S311
    mirrors = [Mirror(user, limit) for user in users for limit in (1, 3, 500)]
    over = threading.Event()
    with ThreadPoolExecutor(len(writers) + len(mirrors)) as pool:
        following = [pool.submit(mirror.follow, over) for mirror in mirrors]
        writing = [pool.submit(writer.run) for writer in writers]
        try:
            for future in writing:
                future.result()
        finally:
            over.set()
        for future in following:
            future.result()
    for mirror in mirrors:
        mirror.catch_up()
        assert mirror.state == {task["id"]: task["text"] for task in mirror.user.get("/tasks").json["tasks"]}
        assert len(mirror.changes) == len(set(mirror.changes)), "each change comes once"
        for writer in writers:
            if writer.user is mirror.user:
                _assert_prefixes(mirror.seen, writer.history)


def _assert_prefixes(seen: list[State], history: list[State]) -> None:
    """Whatever was seen of a writer's tasks, they were once, at that moment or a later one than seen before."""
    own = {task for state in history for task in state}
    at = 0
    for copy in seen:
        of_writer = {task: text for task, text in copy.items() if task in own}
        while history[at] != of_writer:
            at += 1
            assert at < len(history), "it was never so"
