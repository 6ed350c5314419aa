"""Real servers of ours, as processes on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from django.db import connections

from tests.parts.process import signal_all

START_SECONDS = 20
STOP_SECONDS = 30
ROOT = Path(__file__).resolve().parent.parent
# By `make coverage`, which hears nothing of a process that is killed.
MEASURED = "COVERAGE_PROCESS_CONFIG" in os.environ

COMMANDS = {
    "gunicorn": ["gunicorn", "-c", "python:config.gunicorn", "-b", "fd://{fd}", "config.wsgi"],
    "uvicorn": ["uvicorn", "--fd", "{fd}", "config.asgi:application"],
    "granian": ["config.granian", "--fd", "{fd}"],
}


def python(
    *arguments: str, env: Mapping[str, str] = MappingProxyType({}), typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python to its end, as in `python manage.py …`, without a terminal."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def database_urls() -> dict[str, str]:
    """Both URLs of the database that pytest-django made, by the name of their variable."""
    variables = {"DATABASE_URL": "default", "DATABASE_URL_UNPOOLED": "operator"}
    return {variable: _url(connections[alias].settings_dict) for variable, alias in variables.items()}


def _url(at: Mapping[str, Any]) -> str:
    assert at["NAME"].startswith("test_"), "mark the test with django_db: without it there is no test database"
    return f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


@dataclass(frozen=True)
class Server:
    """A server that runs, at `base_url`."""

    base_url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serve(
    server: str, env: Mapping[str, str] = MappingProxyType({}), *, log: IO[bytes] | None = None, root: Path = ROOT
) -> Iterator[str]:
    """Start one of COMMANDS on a free port with the tests' environment and `env`; yield the base URL.

    What it writes goes to `log`, or where the tests' own output goes. Its code is at `root`. It is killed in the end.
    """
    with start(server, env, log=log, root=root) as started:
        try:
            yield started.base_url
        finally:
            if not MEASURED:
                signal_all(started.process.pid, signal.SIGKILL)


@contextmanager
def start(
    server: str,
    env: Mapping[str, str] = MappingProxyType({}),
    options: Sequence[str] = (),
    *,
    log: IO[bytes] | None = None,
    root: Path = ROOT,
) -> Iterator[Server]:
    """The same, with more of its own options, for those who want the process; it ends in order, which takes longer."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        # Uvicorn takes an inherited socket for a Unix one and leaves Nagle's algorithm on: 40 ms an answer.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [part.format(fd=listener.fileno()) for part in COMMANDS[server]]
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *options],
            cwd=root,
            env={**os.environ, **({} if "DATABASE_URL" in env else database_urls()), **env},
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
    try:
        wait_until_alive(server, base_url, process)
        yield Server(base_url, process)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def wait_until_alive(server: str, base_url: str, process: subprocess.Popen[bytes]) -> None:
    """Return once it answers. Raises RuntimeError if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{base_url}/livez", timeout=START_SECONDS).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server} did not start (exit status {process.poll()})") from None
            time.sleep(0.05)
        else:
            return
