"""deploy/compose without a container engine: its services' commands and environments, step by step, on real parts."""

import json
import os
import re
import shutil
import stat
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
CMD = json.loads(SERVICES["pgbouncer"]["build"]["dockerfile_inline"].partition("\nCMD ")[2])
PAGE = (live.ROOT / "docs" / "deploying" / "compose.md").read_text()
_UP, DUMP, RESTORE = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NOT_PASSED_ON = {"DEBUG", "LOG_FORMAT", "PORT", "POSTGRES_URL", "POSTGRES_URL_NON_POOLING"}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What .env holds when it was made as the page says."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(FOLDER / "env.example", folder)
    (script,) = re.findall(r"^\(umask .*?\.env\)$", PAGE, re.MULTILINE)
    subprocess.run(["bash", "-euc", script], cwd=folder, check=True)
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
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

    def __init__(self, server: Address, env: dict[str, str]) -> None:
        self._program, self._server, self._env = program("pgbouncer-1.24"), server, env
        super().__init__()

    def command(self) -> list[str]:
        host, port = self._server
        moved = {
            "host=postgresql port=5432": f"host={host} port={port}",
            "listen_addr = *": f"listen_addr = {self.address.host}",
            "listen_port = 6432": f"listen_port = {self.address.port}",
            "auth_file = /tmp/users.txt": f"auth_file = {self.home}/users.txt",
        }
        ini = (FOLDER / "pgbouncer.ini").read_text()
        for there, here in moved.items():
            assert there in ini
            ini = ini.replace(there, here)
        (self.home / "pgbouncer.ini").write_text(ini)
        write_users, _, rest = CMD[2].partition(" && exec ")
        assert (CMD[:2], rest) == (["bash", "-c"], "pgbouncer /pgbouncer.ini")
        here = write_users.replace("/tmp/", f"{self.home}/")  # noqa: S108 (the container's)
        subprocess.run([*CMD[:2], here], env=self._env, check=True)
        return as_pgbouncer(self.home, self._program)


@dataclass
class Machine:
    """Where the services are that were started, by name; `stack` ends them."""

    env: Mapping[str, str]
    stack: ExitStack
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
        given = _filled_in(SERVICES["pgbouncer"]["environment"], self.env)
        self.at["pgbouncer:6432"] = self.stack.enter_context(Pooler(self.at["postgresql:5432"], given)).address

    def _run(self, name: str) -> None:
        """To its end, as `service_completed_successfully` wants it."""
        done = self.run(name, *SERVICES[name]["command"])
        assert done.returncode == 0, done.stderr
        assert not any(self.env[secret] in done.stdout + done.stderr for secret in ("OWNER_PASSWORD", "API_PASSWORD"))

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=live.ROOT,
            env=os.environ | self.environment(name) | {"PATH": path},
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
def machine(env: dict[str, str]) -> Iterator[Machine]:
    """Everything started, each after what it depends on."""
    after = {name: list(service.get("depends_on", ())) for name, service in SERVICES.items()}
    with ExitStack() as stack:
        machine = Machine(env, stack)
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
    checked = machine.run(
        "api", "python", "manage.py", "check", "--deploy", "--database=default", "--fail-level=WARNING"
    )
    assert checked.returncode == 0, checked.stderr


def test_restored_dump_has_what_was_there(machine: Machine, tmp_path: Path) -> None:
    with closing(Live("gunicorn", machine.base_url)) as service:
        alice, bob = (User(service, f"{name}-{uuid.uuid4()}", {"Host": "api.example.com"}) for name in ("alice", "bob"))
        task = alice.task("kept")
        machine.run_in_postgresql(DUMP, tmp_path)
        assert stat.S_IMODE((tmp_path / "tasks.dump").stat().st_mode) == 0o600
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


def test_read_only_services_are_given_files_only() -> None:
    """What Compose would have to copy into a container, it cannot where nothing can be written."""
    given = [
        (name, COMPOSE[kind][one if isinstance(one, str) else one["source"]])
        for name, service in SERVICES.items()
        for kind in ("secrets", "configs")
        for one in service.get(kind, [])
        if service.get("read_only")
    ]
    assert [name for name, source in given if "file" not in source] == []


def test_urls_say_that_there_is_no_tls() -> None:
    """`doctor` warns of what is meant, and fails where it is forgotten."""
    urls = re.findall(r"postgresql://\S+", (FOLDER / "compose.yaml").read_text())
    assert [url for url in urls if not url.endswith("?sslmode=disable")] == []


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
