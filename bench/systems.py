"""The systems: how each is started, with one worker process and what it has in production."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from bench.ask import ask
from config.environment import Environment

ROOT = Path(__file__).resolve().parent.parent
OURS, PEERS = ROOT / ".venv", ROOT / ".venv-bench"
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
START_SECONDS, STOP_SECONDS = 30, 30
SECRET = "the-secret-of-the-bench-of-more-than-32-bytes"  # noqa: S105 (of tokens for this machine only)
ORIGIN = "https://app.example.com"  # of the front end, which browsers send along
# What is counted as one's own: nothing of the shell's, and no .env.
ENVIRONMENT = {name.upper(): "" for name in Environment.model_fields} | {
    "BETTER_AUTH_SECRET": SECRET,
    "SECRET_KEY": "the-bench-own-django-key-0123456789-abcdefghijklmnopqrstuvwxyz",
    "CORS_ORIGINS": ORIGIN,
    "RATE_LIMIT": "100000000/minute",  # counted, and never reached
    "LOG_FORMAT": "json",
    "WEB_CONCURRENCY": "1",
    "PATH": os.environ.get("PATH", ""),
    "PYTHONUNBUFFERED": "",
}
HOST = ("--host", "127.0.0.1", "--port", "{port}")
GUNICORN = ("gunicorn", "-b", "127.0.0.1:{port}")
THREADS = (*GUNICORN, "--no-control-socket", "-k", "gthread", "--threads", "16", "-w", "1")


@dataclass(frozen=True)
class System:
    key: str
    name: str
    command: tuple[str, ...]  # a module of Python and its arguments
    packages: Path  # the environment it runs from
    database: str
    schema: tuple[str, ...] = ()  # the command that makes its tables
    table: str = "task"
    environment: Mapping[str, str] = field(default_factory=dict)
    verifies: bool = True  # tokens
    metrics: bool = False  # has a port of its own for them
    usual: bool = True  # measured unless others are asked for

    @property
    def python(self) -> str:
        return str(self.packages / "bin" / "python")


def _ours(key: str, server: str, command: tuple[str, ...], **differs: Any) -> System:  # noqa: ANN401 (System's)
    same: dict[str, Any] = {"packages": OURS, "database": "ours", "table": "tasks_task", "metrics": True}
    return System(key, f"ours, {server}", command, **same | differs)


def _django(key: str, name: str, command: tuple[str, ...], peer: str) -> System:
    settings = {"DJANGO_SETTINGS_MODULE": f"bench.peers.{peer}.settings"}
    schema = ("django", "migrate", "--run-syncdb", "-v", "0")
    return System(key, name, command, PEERS, peer, schema, environment=settings)


def _bare(key: str, server: str, command: tuple[str, ...], **differs: Any) -> System:  # noqa: ANN401 (System's)
    return System(key, f"bare WSGI, {server}", (*command, "bench.peers.limit"), OURS, "bare", verifies=False, **differs)


SYSTEMS = (
    _ours("a", "gunicorn", (*GUNICORN, "-c", "python:config.gunicorn", "config.wsgi")),
    _ours("b", "uvicorn", ("uvicorn", "config.asgi:application", *HOST, "--no-access-log")),
    _ours(
        "f",
        "granian",
        ("config.granian",),
        packages=PEERS,
        # Its packages come before those of granian's environment.
        environment={"PYTHONPATH": os.pathsep.join([str(ROOT), str(OURS / SITE)])},
    ),
    System(
        "c",
        "FastAPI + SQLModel",
        ("uvicorn", "bench.peers.fastapi_sqlmodel:app", *HOST, "--no-access-log"),
        PEERS,
        "fastapi",
        schema=("bench.peers.fastapi_sqlmodel",),
    ),
    _django("d", "Django REST framework", (*THREADS, "bench.peers.drf.wsgi"), "drf"),
    _django("d2", "django-bolt", ("django", "runbolt", *HOST, "--processes", "1"), "bolt"),
    _bare("e", "gunicorn", THREADS),
    _bare("e2", "our worker", (*GUNICORN, "-c", "python:config.gunicorn"), usual=False),
)


@dataclass(frozen=True)
class Running:
    """A system that serves."""

    system: System
    port: int
    process: subprocess.Popen[bytes]
    started_in: float  # seconds until the first 200


@contextmanager
def start(
    system: System, urls: Mapping[str, str], cpus: set[int], log: IO[bytes] | int = subprocess.DEVNULL
) -> Iterator[Running]:
    """Start it with these database URLs, on these CPUs, and wait for its first answer from the database."""
    port = free_port()
    environment = {**ENVIRONMENT, **system.environment, **urls, "PORT": str(port)}
    if system.metrics:
        environment["METRICS_PORT"] = str(free_port())
    begun = time.perf_counter()
    process = subprocess.Popen(
        [system.python, "-m", *(part.format(port=port) for part in system.command)],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches us, and we end them
        preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,  # noqa: PLW1509 (we have no threads)
    )
    try:
        _wait(system, port, process)
        yield Running(system, port, process, time.perf_counter() - begun)
    finally:
        _stop(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait(system: System, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, HTTPException):
            if ask(port, "GET", "/health")[0] == HTTPStatus.OK:
                return
        time.sleep(0.002)
    raise SystemExit(f"{system.name} did not start (exit status {process.poll()}): --logs DIRECTORY shows why")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
