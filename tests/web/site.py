"""The app of examples/web on a port of its own, with a Better Auth on a database of its own."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
from psycopg.sql import SQL, Identifier

from tests import npm
from tests.environment import OWNER_URL, SECRET
from tests.live import ROOT

SLOW_SECONDS = 16 * 60  # a token lives 15 minutes, and the service adds 15 seconds
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Site:
    """The app, and its process."""

    url: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def late(self) -> Iterator[None]:
        """Let the clock of Better Auth be so late that its tokens are too old for the service from the beginning."""
        self.process.send_signal(signal.SIGUSR2)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGUSR2)


def build(folder: Path, api_url: str) -> Path:
    """Copy the examples, and build the app for that service."""
    others = shutil.ignore_patterns("node_modules", "dist", ".env")
    for name in ("client", "web"):
        shutil.copytree(ROOT / "examples" / name, folder / name, ignore=others)
    (folder / "node_modules").symlink_to(npm.HERE / "node_modules")
    run(folder / "web", npm.tool("vite"), "build", VITE_API_URL=api_url)
    return folder / "web"


@contextmanager
def serve(app: Path, port: int) -> Iterator[Site]:
    """Serve what was built, and Better Auth beside it."""
    name, url = f"better_auth_{secrets.token_hex(4)}", f"http://127.0.0.1:{port}"
    with psycopg.connect(OWNER_URL, autocommit=True) as server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            environment = {
                "DATABASE_URL": OWNER_URL.rpartition("/")[0] + f"/{name}",
                "BETTER_AUTH_URL": url,
                "BETTER_AUTH_SECRET": secrets.token_urlsafe(32),
                "TASKS_SECRET": SECRET,
                "SLOW_SECONDS": str(SLOW_SECONDS),
            }
            with _started(app, port, environment) as process:
                yield Site(url, process)
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def _started(app: Path, port: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    clock = (Path(__file__).parent / "clock.mjs").as_uri()
    vite = [npm.tool("vite"), "preview", "--host", "127.0.0.1", "--port", str(port)]
    with (app / "log").open("wb") as log:
        process = subprocess.Popen(
            [npm.node(), "--import", clock, *vite],
            cwd=app,
            env={"PATH": os.environ.get("PATH", os.defpath), **environment},
            stdin=subprocess.PIPE,  # with which it ends, however we do
            stdout=log,
            stderr=log,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/api/auth/ok", process, app / "log")
        yield process
    finally:
        process.kill()
        with process:
            pass


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            httpx.get(url).raise_for_status()
        except httpx.HTTPError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


def run(folder: Path, *command: str, **environment: str) -> None:
    """Run a command that has to succeed."""
    path = {"PATH": os.environ.get("PATH", os.defpath)}
    done = subprocess.run(command, cwd=folder, env=path | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
