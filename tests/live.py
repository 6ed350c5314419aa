"""Real servers of ours, as processes on this machine."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

START_SECONDS = 20
STOP_SECONDS = 30
ROOT = Path(__file__).resolve().parent.parent

COMMANDS = {
    "gunicorn": ["gunicorn", "-c", "python:config.gunicorn", "-b", "fd://{fd}", "config.wsgi"],
    "uvicorn": ["uvicorn", "--fd", "{fd}", "--no-access-log", "config.asgi:application"],
}


def test_database_url() -> str:
    """The URL of the database that pytest-django made."""
    at = connection.settings_dict
    assert at["NAME"].startswith("test_"), "mark the test with django_db: without it there is no test database"
    return f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


@contextmanager
def serve(server: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start `gunicorn` or `uvicorn` on a free port with the tests' environment and `env`; yield the base URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        # Uvicorn takes an inherited socket for a Unix one and leaves Nagle's algorithm on: 40 ms an answer.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(fd=listener.fileno()) for part in COMMANDS[server])],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": test_database_url(), **(env or {})},
            pass_fds=[listener.fileno()],
        )
    try:
        _wait_until_alive(server, base_url, process)
        yield base_url
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait_until_alive(server: str, base_url: str, process: subprocess.Popen[bytes]) -> None:
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
