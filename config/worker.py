"""gunicorn's thread worker, in which clients wait in an event loop and threads wait for no client.

A request is gathered until it is whole, answered by a thread, its answer sent; then the connection is kept or closed.
Each step that depends on the client has a deadline.
"""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # it has no types

from config import bounds, environment, exchange, unparsed
from config.connection import Connection
from config.threads import Threads

LINGER_SECONDS = 2.0  # for a client to close its end
LINGER_BYTES = 2_097_152  # of a body that nobody reads, so that a client who sends it all first sees the answer
TICK_SECONDS = 0.25
PROBES = frozenset({b"/livez", b"/readyz", b"/health"})
PROBE_THREADS = 2  # of their own: a database that hangs may hold all the others

_environment = environment.read()


class Worker(ThreadWorker):  # type: ignore[misc]  # untyped
    """An event loop in which connections wait, and threads. A connection belongs to the one or to one of the others."""

    alive: bool
    slot = 0  # the metrics are counted by place, not by process

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (gunicorn's)
        super().__init__(*args, **kwargs)
        self.sockets: list[Any]
        self.connections: set[Connection] = set()
        self.terminated = False
        self._idle_seconds: float = self.cfg.keepalive
        self._next_tick = 0.0
        self._probes = Threads(PROBE_THREADS, self._answer)

    def get_thread_pool(self) -> Threads:
        return Threads(self.cfg.threads, self._answer)

    def run(self) -> None:
        """Serve until told to end, or until `max_requests`; then see it through."""
        self.poller.register(self.method_queue.fileno(), EVENT_READ, self.method_queue.run_callbacks)
        try:
            while self.alive:
                self._make_room()
                self.set_accept_enabled(not self._full)
                self._turn(1.0)
            self._drain()
        finally:  # whatever happens: threads would go on waiting for work, and the process for them
            self.tpool.shutdown(wait=False)
            self._probes.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()

    @property
    def _full(self) -> bool:
        return len(self.connections) >= int(self.worker_connections)

    def _make_room(self) -> None:
        """Keep a place free for whoever comes, at the expense of who has been idle for longest."""
        idle = [one for one in self.connections if one.idle] if self._full else []
        if idle:
            min(idle, key=lambda one: one.idle_since).hang_up()

    def _turn(self, seconds: float) -> None:
        self.wait_for_and_dispatch_events(timeout=seconds)
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + TICK_SECONDS
            self._tick(now)

    def _tick(self, now: float) -> None:
        self.notify()
        if not self.terminated and not self.is_parent_alive():  # nobody would replace this worker, or end it
            self.alive, self.terminated = False, True
        for connection in [one for one in self.connections if one.deadline <= now]:
            if connection.idle:
                connection.hang_up()
            else:
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
        while (self.connections or self._accepting) and time.monotonic() < until:
            self._hasten()
            if self.terminated:
                self._stop_listening()
            elif had.isdisjoint(self.connections):
                self.set_accept_enabled(False)
            self._turn(TICK_SECONDS)

    def _hasten(self) -> None:
        """Have idle connections end soon. Not only once: a thread may just be giving one the time it had before."""
        soon = time.monotonic() + bounds.GRACE_SECONDS
        for connection in self.connections:
            if connection.idle:
                connection.deadline = min(connection.deadline, soon)

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
            connection.expect(min(self._idle_seconds, _environment.client_timeout))
            self._gather(connection)

    def _gather(self, connection: Connection) -> None:
        """Read what has come in."""
        try:
            data = connection.receive()
        except BlockingIOError:
            self._when(connection, EVENT_READ, self._gather)
        except OSError:
            self._close(connection)
        else:
            self._take(connection, data)

    def _take(self, connection: Connection, data: bytes) -> None:
        """Look whether the request is whole now. No data: the client has ended its side."""
        if connection.in_head and not data:
            self._close(connection)
            return
        if connection.idle:
            connection.idle = False
            connection.limit(_environment.client_timeout, partial(self._refuse, 408))
        whole = not data or connection.feed(data)
        if connection.refusal:
            self._refuse(connection.refusal, connection)
        elif whole:
            connection.begin()
            self._submit(connection)
        else:
            self._when(connection, EVENT_READ, self._gather)

    def _submit(self, connection: Connection) -> None:
        connection.deadline = math.inf  # from here on it is on us
        (self._probes if connection.path in PROBES else self.tpool).submit(connection)

    def _refuse(self, status: int, connection: Connection) -> None:
        connection.keep = False
        connection.sendall(unparsed.refusal(status))
        self._deliver(connection)

    # In a thread

    def _answer(self, connection: Connection) -> None:
        """Answer a request, or go on with it. The usual client takes it all at once, and the loop need not know."""
        if go_on := connection.go_on:
            connection.go_on = None
            connection.keep = go_on()
        else:
            connection.keep = exchange.answer(self.wsgi, connection, keep=self._may_keep() and connection.keep)
        connection.flush()
        done = not (connection.unsent or connection.go_on)
        if done and connection.keep and not connection.rest and self._accepting:
            self._expect_next(connection)
        else:
            self.method_queue.defer(self._deliver, connection)

    def _may_keep(self) -> bool:
        """Count a request; whether its connection may have another one."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        return self.alive and len(self.connections) < self.max_keepalived

    def _deliver(self, connection: Connection) -> None:
        connection.untaken = len(connection.unsent)
        connection.limit(bounds.STALLED_TIMEOUTS * _environment.client_timeout, self._look_what_was_taken)
        self._send(connection)

    def _look_what_was_taken(self, connection: Connection) -> None:
        if len(connection.unsent) < connection.untaken:
            self._deliver(connection)
        else:
            self._close(connection)

    def _send(self, connection: Connection) -> None:
        connection.flush()
        if connection.unsent:
            self._when(connection, EVENT_WRITE, self._send)
        elif connection.go_on:
            self._submit(connection)
        elif connection.gone:
            self._close(connection)
        elif connection.keep:
            self._expect_next(connection)
        else:
            connection.end()
            connection.limit(LINGER_SECONDS, self._close)
            self._discard(connection)

    def _expect_next(self, connection: Connection) -> None:
        connection.expect(self._idle_seconds)
        if rest := connection.next():
            self._take(connection, rest)
        else:
            self._when(connection, EVENT_READ, self._gather)

    def _discard(self, connection: Connection) -> None:
        """Wait for the client to close first: a reset would take the answer away from it."""
        try:
            data = connection.receive()
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
        if connection.go_on:  # with what makes the answer: it has to be told
            connection.lose()
            self._submit(connection)
            return
        self.connections.discard(connection)
        connection.close()

    def _when(self, connection: Connection, event: int, then: Callable[[Connection], None]) -> None:
        """Call `then` once the socket is readable or writable. Last of all: from here on it is the loop's."""
        self.poller.register(connection.sock, event, partial(self._go, connection, then))

    def _go(self, connection: Connection, then: Callable[[Connection], None], sock: object) -> None:
        self.poller.unregister(sock)
        then(connection)
