"""docs/deploying/backups.md, its lines run: a dump of a live database, restored into another server."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from config.databases import API_ROLE
from tests import live
from tests.client import User
from tests.neon.conftest import Database, created, served
from tests.parts import PostgreSQL
from tests.parts.postgresql import programs
from tests.shapes import assert_error

PAGE = (live.ROOT / "docs" / "deploying" / "backups.md").read_text()
_NEON, DUMP, ROLES, RESTORE = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NEW_KEY = {"SECRET_KEY": "another-key-of-django-0123456789-abcdefghijklmnopqrstuvwxyz"}


@dataclass(frozen=True)
class Restored:
    """What alice had when the database was dumped, and what she has seen of it since."""

    database: Database
    tasks: list[dict[str, Any]]
    since: str
    lost_tag: str
    """Of the first task, changed after the dump."""
    lost_since: str
    """With which her copy has a task more, created after the dump."""


def _run(script: str, folder: Path, database: Database) -> None:
    script = script.replace(".venv/bin/python", sys.executable).replace("tasks.dump", str(folder / "tasks.dump"))
    urls = {"DATABASE_URL": database.api_url, "DATABASE_URL_UNPOOLED": database.owner_url}
    env = os.environ | urls | {"PATH": f"{programs()}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", script], cwd=live.ROOT, env=env, check=True, capture_output=True)


@pytest.fixture(scope="module")
def restored(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restored]:
    folder = tmp_path_factory.mktemp("backup")
    with PostgreSQL() as server:
        bare = Database(server, server.url, server.url)
        assert ROLES.split()[-1] == "create_roles"
        made = bare.manage("create_roles", "--owner", urlsplit(server.url).username or "", "--api", API_ROLE)
        new = Database(server, server.url, created(made.stdout)["DATABASE_URL"])
        with served("gunicorn", database, WEB_CONCURRENCY="1") as service:
            alice = User(service, "alice-restored")
            for text in ("one", "two", "three"):
                task = alice.task(text)
            alice.delete(f"/tasks/{task['id']}")
            User(service, "bob-restored").task("his")
            tasks = alice.get("/tasks").json["tasks"]
            since = alice.get("/tasks/changes").json["next_since"]
            _run(DUMP, folder, database)
            assert stat.S_IMODE((folder / "tasks.dump").stat().st_mode) == 0o600
            lost = alice.patch(f"/tasks/{tasks[0]['id']}", {"text": "lost"})
            alice.task("lost too")
            lost_since = alice.get("/tasks/changes").json["next_since"]
        _run(RESTORE, folder, new)
        yield Restored(new, tasks, since, lost.headers["etag"], lost_since)


def test_restored_service_has_every_task_and_keeps_users_apart(restored: Restored) -> None:
    with served("gunicorn", restored.database, WEB_CONCURRENCY="1") as service:
        alice, bob = User(service, "alice-restored"), User(service, "bob-restored")
        assert alice.get("/tasks").json["tasks"] == restored.tasks
        assert bob.get("/tasks").json["count"] == 1
        assert_error(bob.get(f"/tasks/{restored.tasks[0]['id']}"), 404)
        # Triggers and the sequence: the feed goes on, and what the lost time knew as this task's tag is not its tag.
        path = f"/tasks/{restored.tasks[0]['id']}"
        assert alice.patch(path, {"text": "changed"}).headers["etag"] != restored.lost_tag
        assert_error(alice.patch(path, {"text": "over"}, headers={"If-Match": restored.lost_tag}), 412)
        alice.delete(f"/tasks/{restored.tasks[1]['id']}")
        changes = alice.get(f"/tasks/changes?since={restored.since}").json["changes"]
        assert [change["type"] for change in changes] == ["upsert", "delete"]


def test_copy_that_is_ahead_starts_again_under_a_new_key(restored: Restored) -> None:
    with served("gunicorn", restored.database, WEB_CONCURRENCY="1", **NEW_KEY) as service:
        alice = User(service, "alice-restored")
        assert_error(alice.get(f"/tasks/changes?since={restored.lost_since}"), 422)
        walked = alice.get("/tasks/changes").json["changes"]
        kept = {change["task"]["id"] for change in walked if change["type"] == "upsert"}
        assert kept == {task["id"] for task in alice.get("/tasks").json["tasks"]}
