"""The process that stops the server when its last client has ended: `python -m config.embedded.keeper`."""

import fcntl
import math
import os
import sys
from contextlib import suppress
from pathlib import Path

from config.embedded.locks import attempt, no_clients, starting_or_stopping, wait_for
from config.embedded.server import detach, stop

ROOT = Path(__file__).resolve().parents[2]


def ensure_keeper(home: Path) -> None:
    """Start the keeper unless there is one."""
    lock = attempt(home / "keeper.lock", fcntl.LOCK_EX)
    if lock is not None:
        command = [sys.executable, "-m", "config.embedded.keeper", str(home), str(lock)]
        detach(home, lock, command, {**os.environ, "PYTHONPATH": str(ROOT)})


def _keep(home: Path, keeper_lock: int) -> None:
    """Wait until nobody holds the server, then stop it, unless somebody came meanwhile."""
    os.pwrite(keeper_lock, f"{os.getpid():<10}".encode(), 0)  # for whoever looks for it
    while True:
        os.close(wait_for(home / "clients.lock", fcntl.LOCK_EX))
        with starting_or_stopping(home, math.inf), no_clients(home) as last:
            if last:  # pragma: no branch (somebody came in that very moment)
                stop(home)
                os.close(keeper_lock)  # before start.lock: the next client is to see that there is no keeper
                return


if __name__ == "__main__":
    with suppress(FileNotFoundError):  # the folder was removed
        _keep(Path(sys.argv[1]), int(sys.argv[2]))
