"""Migrations beside a live service: nobody is cut off, nothing waits for long, and the version before still works."""

import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import live
from tests.client import Live, User
from tests.neon.conftest import Database, served
from tests.neon.load import timed

WRITERS = 8
MIGRATIONS, RELEASES = ((live.ROOT / "docs" / page).read_text() for page in ("migrations.md", "deploying/releases.md"))
WAY_BACK = re.findall(r"^\.venv/bin/python manage\.py (.*)", RELEASES, re.MULTILINE)
BEFORE_ROW_SECURITY = "d9a8a91"  # the commit that serves while the migration to row-level security runs


@pytest.fixture
def fresh(database: Database) -> Iterator[Database]:
    """A database of the test's own, with the tables of the first release."""
    name = f"fresh_{secrets.token_hex(4)}"
    with psycopg.connect(database.owner_url, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}".encode())
        try:
            url = urlsplit(database.owner_url)._replace(path=f"/{name}").geturl()
            bare = Database(database.server, url, url)
            migrated = bare.manage("migrate", "tasks", "0001")
            assert migrated.returncode == 0, migrated.stderr
            yield bare
        finally:
            session.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_migrating_while_clients_write_loses_nothing(database: Database) -> None:
    over = threading.Event()
    with served("gunicorn", database, WEB_CONCURRENCY="2") as service:

        def write(number: int) -> tuple[str, int]:
            user, written = User(service, f"migrating-{number}"), 0
            while not over.is_set():
                request = timed(lambda: user.post("/tasks", {"text": "Written"}))
                assert (request.answer.status, request.seconds < 5) == (201, True), request.answer.body
                written += 1
                time.sleep(0.01)
            return str(user.sub), written

        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(write, number) for number in range(WRITERS)]
            for target in (["tasks", "0004"], []):  # up to which the running code needs them
                migrated = database.manage("migrate", *target)
                assert migrated.returncode == 0, migrated.stderr
            over.set()
            for sub, written in (writer.result() for writer in writers):
                assert User(service, sub).get("/tasks").json["count"] == written > 0


def test_migration_gives_up_on_a_lock_and_goes_through_later(fresh: Database) -> None:
    """A transaction that stays open does not make a migration, and everybody behind it in the queue, wait for ever."""
    with psycopg.connect(fresh.owner_url) as session:
        session.execute("SELECT FROM tasks_task")
        refused = fresh.manage("migrate")
    assert refused.returncode == 1
    assert "lock timeout" in refused.stderr
    assert "Run manage.py migrate again" in refused.stderr
    assert fresh.manage("migrate").returncode == 0


def test_loop_of_the_page_ends_when_the_lock_is_gone_or_on_another_failure(fresh: Database, tmp_path: Path) -> None:
    with psycopg.connect(fresh.owner_url) as session:
        session.execute("SELECT FROM tasks_task")
        with _again_and_again(tmp_path, fresh.owner_url) as loop:
            assert any("lock timeout" in line for line in loop.stdout or ())
            session.rollback()
            assert "Applying tasks.0008_find_one_task_by_its_id... OK" in loop.communicate()[0]
    with _again_and_again(tmp_path, fresh.owner_url.replace("/fresh_", "/gone_")) as loop:
        assert "does not exist" in loop.communicate()[0]


def _again_and_again(folder: Path, url: str) -> subprocess.Popen[str]:
    (script,) = re.findall(r"^until .*?^cat failed", MIGRATIONS, re.DOTALL | re.MULTILINE)
    manage = f"{sys.executable} {live.ROOT}/manage.py"
    here = script.replace(".venv/bin/python manage.py", manage).replace("sleep 5", ":")
    urls = {"DATABASE_URL": url, "DATABASE_URL_UNPOOLED": url}
    return subprocess.Popen(["bash", "-uc", here], cwd=folder, env=os.environ | urls, stdout=subprocess.PIPE, text=True)


def test_way_back_is_as_the_page_has_it(database: Database, fresh: Database) -> None:
    """With the API's role in DATABASE_URL, as a deployment has it."""
    api_url = urlsplit(database.api_url)._replace(path=urlsplit(fresh.owner_url).path).geturl()
    assert fresh.manage("migrate", api_url=api_url).returncode == 0
    shown, back = (fresh.manage(*line.split(), api_url=api_url) for line in WAY_BACK)
    assert (shown.returncode, back.returncode) == (0, 0), shown.stderr + back.stderr
    assert "[X] 0003_" in shown.stdout


def test_migration_that_fails_for_another_reason_says_what_the_database_says(fresh: Database) -> None:
    with psycopg.connect(fresh.owner_url) as session:
        session.execute("CREATE TABLE tasks_tombstone ()")
    failed = fresh.manage("migrate")
    assert 'relation "tasks_tombstone" already exists' in failed.stderr


def test_code_before_row_security_works_after_its_migration(fresh: Database, tmp_path: Path) -> None:
    """As it did, with the one role it had: the new schema may come before the new code."""
    archive = subprocess.run(["git", "archive", BEFORE_ROW_SECURITY], cwd=live.ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("this is not a clone with its history")
    subprocess.run(["tar", "-xf", "-", "-C", str(tmp_path)], input=archive.stdout, check=True)
    assert fresh.manage("migrate").returncode == 0
    urls = {"DATABASE_URL": fresh.owner_url, "DATABASE_URL_UNPOOLED": fresh.owner_url}
    with (
        live.serve("gunicorn", {**urls, "WEB_CONCURRENCY": "1"}, root=tmp_path) as base_url,
        closing(Live("gunicorn", base_url)) as before,
    ):
        alice = User(before, "alice-before")
        task = alice.task()
        assert alice.patch(f"/tasks/{task['id']}", {"completed": True}).json["completed"] is True
        assert alice.get("/tasks").json["count"] == 1
        assert alice.delete(f"/tasks/{task['id']}").status == 204


def test_tasks_from_before_revisions_get_one(fresh: Database) -> None:
    assert fresh.manage("migrate", "tasks", "0003").returncode == 0
    with psycopg.connect(fresh.owner_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO tasks_task (id, user_id, text) SELECT gen_random_uuid(), 'user-' || n % 700, 'a'"
            " FROM generate_series(1, 2500) AS n"
        )
        before = owner.execute("SELECT max(updated_at) FROM tasks_task").fetchone()
        assert fresh.manage("migrate").returncode == 0
        numbered = "SELECT count(DISTINCT revision) FILTER (WHERE revision > 0), count(*) FROM tasks_task"
        assert owner.execute(numbered).fetchone() == (2500, 2500)
        assert owner.execute("SELECT max(updated_at) FROM tasks_task").fetchone() == before
        assert fresh.manage("migrate", "tasks", "0003").returncode == 0
        assert owner.execute("UPDATE tasks_task SET text = 'b'").rowcount == 2500
        assert fresh.manage("migrate").returncode == 0
        assert owner.execute(numbered).fetchone() == (2500, 2500)
