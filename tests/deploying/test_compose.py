"""deploy/compose without a container engine: its services' commands and environments, step by step, on real parts."""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import bounds
from config.environment import Environment
from tests import live
from tests.client import Live, User
from tests.debian import program
from tests.environment import SECRET
from tests.parts import Address, PostgreSQL, Redis
from tests.parts.pgbouncer import as_pgbouncer
from tests.parts.postgresql import programs
from tests.parts.process import Process
from tests.shapes import assert_error

FOLDER = live.ROOT / "deploy" / "compose"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
PAGE = (live.ROOT / "docs" / "deploying" / "compose.md").read_text()
_UP, DUMP, RESTORE = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NOT_PASSED_ON = {"DEBUG", "LOG_FORMAT", "PORT", "POSTGRES_URL", "POSTGRES_URL_NON_POOLING"}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What .env holds when it was made as the page says."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(FOLDER / "env.example", folder)
    (script,) = re.findall(r"^while .*?\.env$", PAGE, re.MULTILINE)
    subprocess.run(["bash", "-euc", script], cwd=folder, check=True)
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _filled_in(value: Any, env: Mapping[str, str]) -> Any:
    """Put values for variables, as Compose does."""
    if isinstance(value, dict):
        return {key: _filled_in(one, env) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled_in(one, env) for one in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)(?::\?|:-(.*?))\}", lambda found: env.get(found[1]) or found[2], value)
    return value


class Pooler(Process):
    """PgBouncer with the configuration that it has in compose.yaml."""

    def __init__(self, server: Address, users: str) -> None:
        self._program, self._server, self._users = program("pgbouncer-1.24"), server, users
        super().__init__()

    def command(self) -> list[str]:
        host, port = self._server
        moved = {
            "host=postgresql port=5432": f"host={host} port={port}",
            "listen_addr = *": f"listen_addr = {self.address.host}",
            "listen_port = 6432": f"listen_port = {self.address.port}",
            "auth_file = /users.txt": f"auth_file = {self.home}/users.txt",
        }
        ini = (FOLDER / "pgbouncer.ini").read_text()
        for there, here in moved.items():
            assert there in ini
            ini = ini.replace(there, here)
        (self.home / "pgbouncer.ini").write_text(ini)
        (self.home / "users.txt").write_text(self._users)
        return as_pgbouncer(self.home, self._program)


@dataclass
class Machine:
    """Where the services are that were started, by name; `stack` ends them."""

    env: Mapping[str, str]
    stack: ExitStack
    secrets: Path
    at: dict[str, Address] = field(default_factory=dict)
    base_url: str = ""

    def start(self, name: str) -> None:
        begin = {"postgresql": self._postgresql, "redis": self._redis, "pgbouncer": self._pgbouncer, "api": self._api}
        begin.get(name, partial(self._run, name))()

    def _postgresql(self) -> None:
        """Its image's: a superuser with that password, that database, and whoever has a password may come in."""
        given = _filled_in(SERVICES["postgresql"]["environment"], self.env)
        server = self.stack.enter_context(PostgreSQL())
        server.as_superuser(
            "DROP DATABASE tasks",
            "DROP ROLE tasks_owner",
            f"ALTER ROLE postgres PASSWORD '{given['POSTGRES_PASSWORD']}'",
            f"CREATE DATABASE {given['POSTGRES_DB']}",
        )
        (server.home / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        server.restart()
        self.at["postgresql:5432"] = server.address

    def _redis(self) -> None:
        self.at["redis:6379"] = self.stack.enter_context(Redis()).address

    def _pgbouncer(self) -> None:
        users = _filled_in(COMPOSE["configs"]["users"]["content"], self.env)
        self.at["pgbouncer:6432"] = self.stack.enter_context(Pooler(self.at["postgresql:5432"], users)).address

    def _run(self, name: str) -> None:
        """To its end, as `service_completed_successfully` wants it."""
        python, *command = SERVICES[name]["command"]
        assert python == "python"
        for secret in SERVICES[name].get("secrets", []):
            (self.secrets / secret).write_text(self.env[COMPOSE["secrets"][secret]["environment"]])
        here = [part.replace("/run/secrets", str(self.secrets)) for part in command]
        done = self.manage(name, *here)
        assert done.returncode == 0, done.stderr
        assert not any(self.env[secret] in done.stdout + done.stderr for secret in ("OWNER_PASSWORD", "API_PASSWORD"))

    def manage(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=live.ROOT,
            env=os.environ | self.environment(name),
            capture_output=True,
            text=True,
            check=False,
        )

    def run_in_postgresql(self, script: str, folder: Path) -> None:
        """The page's lines without the container, whose programs and superuser they use."""
        host, port = self.at["postgresql:5432"]
        given = {"PGHOST": host, "PGPORT": str(port), "PGPASSWORD": self.env["POSTGRES_PASSWORD"]}
        env = os.environ | given | {"PATH": f"{programs()}:{os.environ['PATH']}"}
        here = script.replace("docker compose exec -T postgresql ", "")
        subprocess.run(["bash", "-euc", here], cwd=folder, env=env, check=True, capture_output=True)

    def _api(self) -> None:
        """By the image's CMD, of which test_container.py says that it is what `live` runs."""
        assert "command" not in SERVICES["api"]
        signed = {"BETTER_AUTH_URL": "", "BETTER_AUTH_SECRET": SECRET}  # for tokens that we can make
        self.base_url = self.stack.enter_context(live.serve("gunicorn", self.environment("api") | signed))

    def environment(self, name: str) -> dict[str, str]:
        """Of one service, with what it does not set blank, for nothing else is to have a say."""
        blank = {variable.upper(): "" for variable in Environment.model_fields if variable != "rate_limit"}
        given = SERVICES[name]["environment"].items()
        passed_on = {key: _filled_in(value, self.env) if value else self.env.get(key) for key, value in given}
        return blank | {key: self._here(value) for key, value in passed_on.items() if value is not None}

    def _here(self, value: str) -> str:
        for there, address in self.at.items():
            value = value.replace(f"@{there}", f"@{address.host}:{address.port}")
            value = value.replace(f"//{there}", f"//{address.host}:{address.port}")
        return value


@pytest.fixture(scope="module")
def machine(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Everything started, each after what it depends on."""
    after = {name: list(service.get("depends_on", ())) for name, service in SERVICES.items()}
    with ExitStack() as stack:
        machine = Machine(env, stack, tmp_path_factory.mktemp("secrets"))
        for name in TopologicalSorter(after).static_order():
            machine.start(name)
        yield machine


def test_service_answers_and_keeps_users_apart(machine: Machine) -> None:
    with closing(Live("gunicorn", machine.base_url)) as service:
        alice, bob = (User(service, f"{name}-{uuid.uuid4()}", {"Host": "api.example.com"}) for name in ("alice", "bob"))
        task = alice.task("composed")
        assert alice.get("/tasks").json["tasks"] == [task]
        assert_error(bob.get(f"/tasks/{task['id']}"), 404)
        assert alice.get("/health").json["database"] == "connected"


def test_environment_lacks_nothing(machine: Machine) -> None:
    """The checks of a deployment, and the database's: row-level security binds the API's role."""
    checked = machine.manage("api", "manage.py", "check", "--deploy", "--database=default", "--fail-level=WARNING")
    assert checked.returncode == 0, checked.stderr


def test_restored_dump_has_what_was_there(machine: Machine, tmp_path: Path) -> None:
    with closing(Live("gunicorn", machine.base_url)) as service:
        alice, bob = (User(service, f"{name}-{uuid.uuid4()}", {"Host": "api.example.com"}) for name in ("alice", "bob"))
        task = alice.task("kept")
        machine.run_in_postgresql(DUMP, tmp_path)
        alice.delete(f"/tasks/{task['id']}")
        machine.run_in_postgresql(RESTORE, tmp_path)
        assert alice.get("/tasks").json["tasks"] == [task]
        assert bob.get("/tasks").json["tasks"] == []
        assert alice.patch(f"/tasks/{task['id']}", {"text": "changed"}).status == 200


def test_superuser_is_for_the_roles_only(env: dict[str, str]) -> None:
    knowing = [
        name for name, service in SERVICES.items() if env["POSTGRES_PASSWORD"] in json.dumps(_filled_in(service, env))
    ]
    assert knowing == ["postgresql", "roles"]


def test_every_variable_can_be_set() -> None:
    known = {name.upper() for name in Environment.model_fields}
    assert known - NOT_PASSED_ON == set(SERVICES["api"]["environment"])


def test_service_has_the_time_it_takes_to_end() -> None:
    seconds = int(SERVICES["api"]["stop_grace_period"].removesuffix("s"))
    assert seconds > bounds.GRACEFUL_SECONDS


def test_compose_understands_the_file(env: dict[str, str], tmp_path: Path) -> None:
    docker = shutil.which("docker")
    command = [str(docker), "compose", "--file", str(FOLDER / "compose.yaml")]
    if docker is None or subprocess.run([*command[:2], "version"], capture_output=True, check=False).returncode:
        pytest.skip("Docker Compose is not installed")
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in env.items()))
    done = subprocess.run([*command, "--env-file", str(tmp_path / ".env"), "config", "--quiet"], check=False)
    assert done.returncode == 0
