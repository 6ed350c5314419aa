"""Threads for connections: a pool without futures, since nobody waits for a result."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from config.connection import Connection


class Threads:
    """At most `size` of them, each started when all others have work."""

    def __init__(self, size: int, work: Callable[[Connection], None]) -> None:
        self._size, self._work = size, work
        self._queue: SimpleQueue[Connection | None] = SimpleQueue()
        self._idle: list[None] = []  # one for each thread that is; appended to by threads, taken from by `submit` alone
        self._started = 0

    def submit(self, connection: Connection) -> None:
        """Have a thread work on it. To be called by one thread only."""
        self._queue.put(connection)
        if self._idle:
            self._idle.pop()
        elif self._started < self._size:
            self._started += 1
            Thread(target=self._run).start()

    def _run(self) -> None:
        for connection in iter(self._queue.get, None):
            self._work(connection)
            self._idle.append(None)

    def shutdown(self, wait: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 (as gunicorn calls it)
        """End the threads that have nothing to do, and others when they are done."""
        for _ in range(self._started):
            self._queue.put(None)
