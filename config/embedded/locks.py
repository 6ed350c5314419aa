"""The locks in the server's folder, each an flock: the kernel takes back what a killed process held."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class EmbeddedPostgresError(Exception):
    """PostgreSQL could not be started; the message has the end of its log."""


def wait_for(path: Path, how: int) -> int:
    """Return a descriptor that has the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def attempt(path: Path, how: int, seconds: float = 0) -> int | None:
    """Return a descriptor that has the lock, or None if it stayed taken for so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return wait_for(path, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return None
        time.sleep(0.005)


@contextmanager
def starting_or_stopping(home: Path, seconds: float) -> Iterator[None]:
    """Be the only one that starts or stops the server. Raises EmbeddedPostgresError after so many seconds."""
    descriptor = attempt(home / "start.lock", fcntl.LOCK_EX, seconds)
    if descriptor is None:
        message = f"another process has been starting or stopping {home} for {seconds:.0f} seconds"
        raise EmbeddedPostgresError(message)
    try:
        yield
    finally:
        os.close(descriptor)


def hold(home: Path) -> None:
    """Keep the server for the life of this process, and of what it becomes through exec."""
    descriptor = wait_for(home / "clients.lock", fcntl.LOCK_SH)
    if len(_holds(home)) > 1:
        os.close(descriptor)
    else:
        os.set_inheritable(descriptor, True)  # through exec; the subprocess module closes it all the same


def let_go(home: Path) -> None:
    """Keep it no longer."""
    for descriptor in _holds(home):
        os.close(descriptor)  # not LOCK_UN: that would let go for those who share it through fork


def _holds(home: Path) -> list[int]:
    """List this process's descriptors of clients.lock, by inode: one may be from before an exec."""
    found = []
    for entry in Path("/dev/fd").iterdir():
        with suppress(OSError):  # the descriptor of this listing, or no such folder any more
            if os.path.samestat(os.fstat(int(entry.name)), (home / "clients.lock").stat()):
                found.append(int(entry.name))
    return found


@contextmanager
def no_clients(home: Path) -> Iterator[bool]:
    """Tell whether nobody holds the server. Asked with start.lock held, so that nobody comes meanwhile."""
    clients = home / "clients.lock"
    descriptor = attempt(clients, fcntl.LOCK_EX)
    if descriptor is None:
        # It may be the keeper, just woken: it lets go at once, and then has to wait for start.lock.
        os.close(wait_for(clients, fcntl.LOCK_SH))
        descriptor = attempt(clients, fcntl.LOCK_EX)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)
