"""gunicorn's thread worker, in which clients wait in an event loop and threads wait for no client.

A request is gathered until it is whole, answered by a thread, its answer sent; then the connection is kept or closed.
Each step that depends on the client has a deadline.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # it has no types

from config import bounds, environment, unparsed
from config.connection import Connection

LINGER_SECONDS = 2.0  # for a client to close its end
LINGER_BYTES = 2_097_152  # of a body that nobody reads, so that a client who sends it all first sees the answer
TICK_SECONDS = 0.25
PROBES = frozenset({b"/livez", b"/readyz", b"/health"})
PROBE_THREADS = 2

_environment = environment.read()


class Worker(ThreadWorker):  # type: ignore[misc]  # untyped
    """gunicorn's threads and parser behind an event loop of our own."""

    alive: bool
    slot = 0  # the metrics are counted by place, not by process

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (gunicorn's)
        super().__init__(*args, **kwargs)
        self.sockets: list[Any]
        self.connections: set[Connection] = set()
        self.keepalived_conns = self.connections  # near the limit, gunicorn answers with `Connection: close`
        self.terminated = False
        self._idle_seconds: float = self.cfg.keepalive
        self._next_tick = 0.0
        self._probes = ThreadPoolExecutor(PROBE_THREADS)

    def run(self) -> None:
        """Serve until told to end, or until `max_requests`; then see it through."""
        self.poller.register(self.method_queue.fileno(), EVENT_READ, self.method_queue.run_callbacks)
        while self.alive and self.is_parent_alive():
            self._make_room()
            self.set_accept_enabled(not self._full)
            self._turn(1.0)
        if not self.is_parent_alive():  # nobody would replace this worker, or end it
            self.alive, self.terminated = False, True
        self._drain()
        self.tpool.shutdown(wait=False)
        self._probes.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()

    @property
    def _full(self) -> bool:
        limit: int = self.worker_connections
        return len(self.connections) >= limit

    def _make_room(self) -> None:
        """Keep a place free for whoever comes, at the expense of who has been idle for longest."""
        idle = [one for one in self.connections if one.idle] if self._full else []
        if idle:
            longest = min(idle, key=lambda one: one.idle_since)
            self.poller.unregister(longest.sock)
            self._close(longest)

    def _turn(self, seconds: float) -> None:
        self.notify()
        self.wait_for_and_dispatch_events(timeout=seconds)
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + TICK_SECONDS
        for connection in [one for one in self.connections if one.deadline <= now]:
            self.poller.unregister(connection.sock)
            connection.on_deadline(connection)

    # The end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.terminated = True
        super().handle_exit(sig, frame)

    def _drain(self) -> None:
        """Answer whom we let in. A worker that is only replaced lets others in until those it had are gone."""
        until = time.monotonic() + self.cfg.graceful_timeout
        self._idle_seconds = bounds.GRACE_SECONDS
        had = set(self.connections)
        for connection in had:
            if connection.idle:
                self._limit(connection, bounds.GRACE_SECONDS, self._close)
        while (self.connections or self._accepting) and time.monotonic() < until:
            if self.terminated:
                self._stop_listening()
            elif had.isdisjoint(self.connections):
                self.set_accept_enabled(False)
            self._turn(TICK_SECONDS)

    def _stop_listening(self) -> None:
        """Let in who stands at the door, for closing it would cut them off; whoever comes later is refused."""
        self.set_accept_enabled(False)
        for listener in self.sockets:
            with suppress(BlockingIOError):
                while True:
                    self._let_in(listener)
            listener.close()
        self.sockets = []

    # One connection

    def accept(self, listener: Any) -> None:  # noqa: ANN401 (gunicorn's)
        with suppress(BlockingIOError):  # another worker was quicker
            self._let_in(listener)

    def _let_in(self, listener: Any) -> None:  # noqa: ANN401 (gunicorn's)
        with suppress(ConnectionAbortedError):
            client, address = listener.accept()
            connection = Connection(self.cfg, client, address, listener.getsockname(), _environment.max_body_bytes)
            self.connections.add(connection)
            self._expect(connection, min(self._idle_seconds, _environment.client_timeout))
            self._gather(connection)

    def _expect(self, connection: Connection, seconds: float) -> None:
        connection.idle, connection.idle_since = True, time.monotonic()
        self._limit(connection, seconds, self._close)

    def _gather(self, connection: Connection) -> None:
        """Read what has come in."""
        try:
            data = connection.sock.receive()
        except BlockingIOError:
            self._when(connection, EVENT_READ, self._gather)
        except OSError:
            self._close(connection)
        else:
            self._take(connection, data)

    def _take(self, connection: Connection, data: bytes) -> None:
        """Look whether the request is whole now. No data: the client has ended its side."""
        if connection.idle and not data:
            self._close(connection)
            return
        if connection.idle:
            connection.idle = False
            self._limit(connection, _environment.client_timeout, partial(self._refuse, 408))
        whole = not data or connection.feed(data)
        if connection.refusal:
            self._refuse(connection.refusal, connection)
        elif whole:
            connection.begin()
            connection.deadline = math.inf  # from here on it is on us
            self.enqueue_req(connection)
        else:
            self._when(connection, EVENT_READ, self._gather)

    def _refuse(self, status: int, connection: Connection) -> None:
        connection.keep = False
        connection.sock.sendall(unparsed.refusal(status))
        self._deliver(connection)

    def enqueue_req(self, conn: Connection) -> None:
        """Have a thread answer it. Probes have some of their own: a database that hangs may hold all the others."""
        pool = self._probes if conn.path in PROBES else self.tpool
        pool.submit(self.handle, conn).add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def handle(self, conn: Connection) -> bool:
        """Answer a request, in a thread."""
        keep = super().handle(conn)
        conn.sock.flush()
        return keep is True

    def handle_request(self, req: Any, conn: Connection) -> bool:  # noqa: ANN401 (gunicorn's)
        req._expected_100_continue = False  # it was told to continue, or need not
        return super().handle_request(req, conn) is True

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Go on where a thread left off."""
        conn.keep = not fs.cancelled() and fs.exception() is None and fs.result()
        self._deliver(conn)

    def _deliver(self, connection: Connection) -> None:
        connection.untaken = len(connection.sock.unsent)
        self._limit(connection, bounds.STALLED_TIMEOUTS * _environment.client_timeout, self._look_what_was_taken)
        self._send(connection)

    def _look_what_was_taken(self, connection: Connection) -> None:
        if len(connection.sock.unsent) < connection.untaken:
            self._deliver(connection)
        else:
            self._close(connection)

    def _send(self, connection: Connection) -> None:
        connection.sock.flush()
        if connection.sock.unsent:
            self._when(connection, EVENT_WRITE, self._send)
        elif connection.keep:
            self._expect_next(connection)
        else:
            connection.end()
            self._limit(connection, LINGER_SECONDS, self._close)
            self._discard(connection)

    def _expect_next(self, connection: Connection) -> None:
        self._expect(connection, self._idle_seconds)
        if rest := connection.next():
            self._take(connection, rest)
        else:
            self._when(connection, EVENT_READ, self._gather)

    def _discard(self, connection: Connection) -> None:
        """Wait for the client to close first: a reset would take the answer away from it."""
        try:
            data = connection.sock.receive()
        except BlockingIOError:
            data = None
        except OSError:
            data = b""
        connection.discarded += len(data or b"")
        if data == b"" or connection.discarded > LINGER_BYTES:
            self._close(connection)
        else:
            self._when(connection, EVENT_READ, self._discard)

    def _close(self, connection: Connection) -> None:
        self.connections.discard(connection)
        connection.close()

    # Waiting

    def _limit(self, connection: Connection, seconds: float, then: Callable[[Connection], None]) -> None:
        connection.deadline, connection.on_deadline = time.monotonic() + seconds, then

    def _when(self, connection: Connection, event: int, then: Callable[[Connection], None]) -> None:
        """Call `then` once the socket is readable or writable."""

        def call(_sock: object) -> None:
            self.poller.unregister(connection.sock)
            then(connection)

        self.poller.register(connection.sock, event, call)
