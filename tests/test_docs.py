"""The pages are true: what they name exists, and the migrations they show run."""

import os
import re
import shutil
import textwrap
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import get_commands
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model

from config.api import ANSWER_SECONDS
from config.environment import Environment
from config.postgresql import roles
from config.postgresql.row_security import Cursor, acting_as
from tests import live
from tests.client import Live, User
from tests.environment import API_ROLE, API_URL, OWNER_URL
from tests.live import ROOT

PATHS = {
    str(path.relative_to(ROOT)).removeprefix("docs/"): path
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
}
PAGES = {name: path.read_text() for name, path in PATHS.items()}
SETTINGS = """\
from config.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "documented"]
MIGRATION_MODULES = {"tasks": "documented.of_tasks"}
"""

on_each_page = pytest.mark.parametrize("page", PAGES)


def _blocks(kind: str, page: str = "migrations.md") -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


@on_each_page
def test_commands_that_are_named_exist(page: str) -> None:
    named = re.findall(r"manage\.py (\w+)|tasks-api-manage@(\w+)|^manage (\w+)", PAGES[page], re.MULTILINE)
    assert {name for names in named for name in names if name} <= set(get_commands())


def test_events_of_the_log_are_listed() -> None:
    sources = "".join(
        file.read_text() for part in ("config", "tasks", "authjwt") for file in (ROOT / part).rglob("*.py")
    )
    events = set(re.findall(r'\blog\.(?:debug|info|warning|error|critical)\(\s*"(\w+)"', sources))
    others = events - {"request", "what_happened"}  # the latter is an example's
    assert len(others) > 10
    assert {event for event in others if f"`{event}`" not in PAGES["logging.md"]} == set()


@on_each_page
def test_modules_that_are_run_exist(page: str) -> None:
    named = set(re.findall(r"python -m (\S+?)[\s`]", PAGES[page]))
    assert [name for name in named if find_spec(name) is None] == []


@on_each_page
def test_targets_of_make_that_are_named_exist(page: str) -> None:
    targets = set(re.findall(r"^(\S+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`|run: )make (?:-C \S+ )?([\w./-]+)", PAGES[page], re.MULTILINE)) <= targets


@on_each_page
def test_variables_that_are_named_exist(page: str) -> None:
    known = {name.upper() for name in Environment.model_fields}
    like_ours = "|".join({name.partition("_")[0] for name in known if "_" in name})
    assert set(re.findall(rf"\b(?:{like_ours})_[A-Z_]+\b", PAGES[page])) <= known


@on_each_page
def test_checks_that_are_named_exist(page: str) -> None:
    source = "".join((ROOT / app / "checks.py").read_text() for app in ("config", "authjwt"))
    assert set(re.findall(r"\b(?:config|authjwt)\.[EW]\d{3}\b", PAGES[page])) <= set(re.findall(r'id="(.*?)"', source))


@on_each_page
def test_files_that_are_named_exist(page: str) -> None:
    links = {PATHS[page].parent / link for link in re.findall(r"\]\((?!https:)([^)#]+)", PAGES[page])}
    paths = re.findall(r"(?<![\w/-])(?:config|tasks|tests|bench|docs|deploy)/[\w/]+\.\w+", PAGES[page])
    assert [name for name in links | {ROOT / path for path in paths} if not name.exists()] == []


@on_each_page
def test_headings_that_are_linked_exist(page: str) -> None:
    for link, anchor in re.findall(r"\]\(([^):#]*)#([^)]+)\)", PAGES[page]):
        linked = PATHS[page].parent / link if link else PATHS[page]
        headings = re.findall(r"^#+ (.*)", linked.read_text(), re.MULTILINE)
        assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], link


def test_granian_is_installed_in_the_version_it_is_pinned_to() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pinned,) = project["optional-dependencies"]["granian"]
    assert f"pip install --no-deps {pinned.replace(' ', '')} " in PAGES["servers.md"]


@pytest.mark.parametrize("role", ["API_SETTINGS", "OWNER_SETTINGS"])
def test_settings_of_the_roles_are_the_codes(role: str) -> None:
    expected = ", ".join(f"`{name}` {value}" for name, value in getattr(roles, role).items())
    assert expected in PAGES["neon.md"], f"docs/neon.md should say: {expected}"


def test_sql_of_an_operation_can_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"manage\.py shell -c '(.*)'", PAGES["CONTRIBUTING.md"])
    exec(code, {})  # noqa: S102 (the page's)
    assert capsys.readouterr().out.startswith('UPDATE "tasks_task"')


def test_patience_of_a_request_is_the_codes() -> None:
    assert f"the {ANSWER_SECONDS:g} s that a request waits for the database" in PAGES["CONTRIBUTING.md"]


def test_unique_keys_without_the_user_are_named() -> None:
    """They are what partitioning by user has to change."""
    models = apps.get_app_config("tasks").get_models()
    keys = [f"`{model._meta.db_table} ({', '.join(key)})`" for model in models for key in _unique_keys(model)]
    assert [key for key in keys if "user_id" not in key and key not in PAGES["growth.md"]] == []


def _unique_keys(model: type[Model]) -> Iterator[list[str]]:
    options = model._meta
    yield [field.name for field in options.pk_fields]
    yield from ([field.name] for field in options.local_fields if field.unique and not field.primary_key)
    yield from (list(rule.fields) for rule in options.total_unique_constraints)


@dataclass(frozen=True)
class Documented:
    """A database of its own, and the migrations of the page, numbered to run after the project's."""

    api_url: str
    owner_url: str
    folder: Path
    last: str

    def manage(self, *command: str) -> None:
        urls = {"DATABASE_URL": self.api_url, "DATABASE_URL_UNPOOLED": self.owner_url}
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        settings = {"DJANGO_SETTINGS_MODULE": "documented.settings", "PYTHONPATH": path}
        done = live.python("manage.py", *command, env=urls | settings)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def documented(django_db_setup: None, tmp_path: Path) -> Iterator[Documented]:  # noqa: ARG001 (which makes the API's role)
    name = f"test_docs_{os.getpid()}"
    last = MigrationLoader(None).graph.leaf_nodes("tasks")[0][1]
    _write_app(tmp_path / "documented", last)
    with psycopg.connect(OWNER_URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield Documented(_within(API_URL, name), _within(OWNER_URL, name), tmp_path, last)
        finally:
            server.execute(f"DROP DATABASE {name}")


def _within(url: str, name: str) -> str:
    """The same server and role, another database."""
    return re.sub(r"/[^/?]*(?=\?|$)", f"/{name}", url)


def _write_app(app: Path, last: str) -> None:
    """Write an app with the page's model and, after the project's, its migrations."""
    shutil.copytree(ROOT / "tasks" / "migrations", app / "of_tasks")
    (app / "__init__.py").touch()
    (app / "settings.py").write_text(SETTINGS)
    (imports,) = _blocks("python imports")
    in_tasks = "(models.Model):\n    class Meta:\n        app_label = 'tasks'\n"
    (app / "models.py").write_text(imports + "".join(_blocks("python model")).replace("(models.Model):\n", in_tasks))
    for number, block in enumerate(_blocks("python")):
        body = f"dependencies = [('tasks', '{last}')]\n{block}"
        last = f"9{number:03}_documented"
        source = f"{imports}\n\nclass Migration(migrations.Migration):\n{textwrap.indent(body, '    ')}"
        (app / "of_tasks" / f"{last}.py").write_text(source)


def test_migrations_run_both_ways_and_the_service_goes_on(documented: Documented) -> None:
    """The running release knows nothing of them; the new table is for the API to use, and keeps users apart."""
    documented.manage("migrate", "tasks", documented.last)
    urls = {"DATABASE_URL": documented.api_url, "DATABASE_URL_UNPOOLED": documented.owner_url, "WEB_CONCURRENCY": "1"}
    with live.serve("gunicorn", urls) as base_url:
        service = Live("gunicorn", base_url)
        alice = User(service, "alice-migrates")
        task = alice.task("from before")
        documented.manage("migrate", "tasks")
        assert alice.patch(f"/tasks/{task['id']}", {"completed": True}).status == 200
        alice.task("from between")
        assert alice.get("/tasks").json["count"] == 2
        service.close()
    documented.manage("check", "--database", "default", "--fail-level", "WARNING")
    with psycopg.connect(documented.owner_url, autocommit=True) as owner:
        for statement in "".join(_blocks("sql")).splitlines():
            owner.execute(statement.encode())
    documented.manage("migrate", "tasks", documented.last)


FIRST = "00000000-0000-0000-0000-000000000000"
SOME_TASKS = """
INSERT INTO tasks_task (id, user_id, text) SELECT gen_random_uuid(), 'user-' || n % 5, 'task ' || n
FROM generate_series(1, 50) AS n
"""
ADD = """
INSERT INTO tasks_task (id, user_id, text) VALUES (%s, 'user-1', 'added')
ON CONFLICT (user_id, id) DO UPDATE SET id = EXCLUDED.id RETURNING text
"""


def test_partitioning_loses_nothing_and_keeps_users_apart(documented: Documented) -> None:
    documented.manage("migrate", "tasks", documented.last)
    index, table, copy, switch, finish = _blocks("sql", "growth.md")
    with psycopg.connect(documented.owner_url, autocommit=True) as owner, _as_the_api(documented.api_url) as api:
        owner.execute(SOME_TASKS)
        owner.execute(index.encode())
        owner.execute(table.replace("tasks_api", API_ROLE).encode())
        _write(api)  # before the copy
        last = FIRST
        while row := owner.execute(copy.replace(FIRST, last).replace("LIMIT 5000", "LIMIT 7").encode()).fetchone():
            last = str(row[0])
        _write(api)  # after it
        before = _tasks(owner)
        owner.execute(switch.encode())
        assert len(before) == 50
        assert _tasks(owner) == before
        _write(api)
        assert len(_tasks(owner)) == 50
        assert api.execute("SELECT * FROM tasks_task").fetchall() == []
        assert _partitions(api, "SELECT * FROM tasks_task WHERE user_id = 'user-1'") == 1
        assert _partitions(api, "SELECT * FROM tasks_task") == 1
        owner.execute(finish.encode())


def _as_the_api(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True, cursor_factory=Cursor)


def _tasks(owner: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return owner.execute("SELECT * FROM tasks_task ORDER BY id").fetchall()


def _write(api: psycopg.Connection[Any]) -> None:
    """Change one task of user-1, delete one, and add one twice; the statements name no user."""
    with acting_as("user-1"):
        changed, deleted, *_ = api.execute("SELECT id FROM tasks_task ORDER BY random()").fetchall()
        api.execute("UPDATE tasks_task SET text = 'changed' WHERE id = %s", changed)
        api.execute("DELETE FROM tasks_task WHERE id = %s", deleted)
        added = uuid.uuid4()
        assert [api.execute(ADD, [added]).fetchone() for _ in range(2)] == [("added",)] * 2
        assert set(api.execute("SELECT user_id FROM tasks_task").fetchall()) == {("user-1",)}


def _partitions(api: psycopg.Connection[Any], query: str) -> int:
    """How many partitions a query of user-1's looks into."""
    with acting_as("user-1"):
        lines = api.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {query}").fetchall()
    return len(set(re.findall(r" on (task_part_\d+)", "\n".join(line for (line,) in lines))))
