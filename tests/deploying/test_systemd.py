"""deploy/systemd: what the units start, and a restart while clients are at it."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import live
from tests.load import Load, load
from tests.neon.conftest import created
from tests.parts import PostgreSQL
from tests.parts.address import relocate

UNITS = live.ROOT / "deploy" / "systemd"
# What systemd does for a service with a socket: the port as file 3, and who it is for.
ACTIVATE = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")


def _setting(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)", (UNITS / unit).read_text(), re.MULTILINE)


def test_unit_starts_what_the_tests_start() -> None:
    (line,) = _setting("tasks-api.service", "ExecStart")
    program, *options = shlex.split(line)
    assert [Path(program).name, *options] == [
        part for part in live.COMMANDS["gunicorn"] if part not in {"-b", "fd://{fd}"}
    ]


def test_commands_have_no_more_rights_than_the_service() -> None:
    service, commands = ((UNITS / unit).read_text() for unit in ("tasks-api.service", "tasks-api-manage@.service"))
    rights = service.partition("\nWorkingDirectory=")[2].partition("\n\n")[0]
    assert len(rights.splitlines()) > 20
    assert rights in commands


def test_units_are_ones_that_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    for unit in UNITS.iterdir():
        name = unit.name.replace("@", "@migrate") if unit.suffix == ".service" else unit.name
        here = unit.read_text().replace("/opt/tasks-api/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / name).write_text(here.replace("@purge", "@migrate"))
    command = ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_first_commands_of_the_page_make_a_deployment() -> None:
    """In their order, with nothing but a superuser's URL; collectstatic would write into this clone."""
    page = (live.ROOT / "docs" / "deploying" / "virtual-machine.md").read_text()
    first = page.partition("```sh\n")[2].partition("```")[0]
    commands = re.findall(r"^(?:manage |systemctl start tasks-api-manage@)(\w+)", first, re.MULTILINE)
    assert commands == ["create_roles", "migrate", "create_operator", "collectstatic"]
    with PostgreSQL() as server:
        server.as_superuser("DROP DATABASE tasks", "DROP ROLE tasks_owner")
        server.as_superuser("CREATE ROLE first SUPERUSER LOGIN PASSWORD 'theirs'", "CREATE DATABASE tasks")
        url = relocate("postgresql://first:theirs@server/tasks", server.address)
        env = {"DATABASE_URL_UNPOOLED": url, "OPERATOR_USERNAME": "ada", "OPERATOR_PASSWORD": "a-long-password-of-hers"}
        for command in commands[:-1]:
            done = live.python("manage.py", command, env=env)
            assert done.returncode == 0, done.stderr
            env |= created(done.stdout) if command == "create_roles" else {}
        assert done.stdout == "Operator ada: made.\n"


@on_linux
@pytest.mark.django_db(databases=["default", "operator"])
def test_restart_makes_clients_wait_and_no_more() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))  # tasks-api.socket
        with _service(listener):
            base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            clients = stack.enter_context(load(base_url, f"alice-{uuid.uuid4()}"))
            _goes_on(clients)
        with _service(listener):
            _goes_on(clients)
            stack.close()
    assert (clients.cut, clients.refused, set(clients.answers)) == ([], 0, {201})


@contextmanager
def _service(listener: socket.socket) -> Iterator[None]:
    """The part of systemd: starts the service, is told when it is ready, and in the end sends SIGTERM and waits."""
    (line,) = _setting("tasks-api.service", "ExecStart")
    command = ["bash", "-c", ACTIVATE, str(listener.fileno()), sys.executable, "-m", "gunicorn", *shlex.split(line)[1:]]
    notified = f"@{uuid.uuid4()}"  # no file, whose path might be too long
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(notified.replace("@", "\0"))
        notices.settimeout(live.START_SECONDS)
        env = os.environ | live.database_urls() | {"NOTIFY_SOCKET": notified}
        with subprocess.Popen(command, cwd=live.ROOT, env=env, pass_fds=[listener.fileno()]) as service:
            try:
                assert notices.recv(1000).startswith(b"READY=1")
                yield
            finally:
                service.terminate()
            assert service.wait(live.STOP_SECONDS) == 0


def _goes_on(clients: Load) -> None:
    served = clients.total
    _until(lambda: clients.total > served + 50)


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
