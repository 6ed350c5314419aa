"""A proxy that is as far away as it is told, and counts the turns: `Proxy.start(port, delay)`.

Whatever it reads, it passes on after `delay` seconds, each way, however much is on its way already: a long line and no
narrow one. It waits with select(), whose timeout has microseconds; an event loop's has milliseconds. A turn is a
burst from the client after the other side has spoken: what the client has to wait for is as many round trips.
"""

import heapq
import multiprocessing
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.sharedctypes import Synchronized

CHUNK = 262_144
CONTEXT = multiprocessing.get_context("fork")


@dataclass(eq=False)
class _End:
    """One side of a passed-on connection."""

    sock: socket.socket
    is_client: bool
    peer: "_End" = field(init=False)
    spoke_last: bool = False


class _Loop:
    def __init__(
        self, listener: socket.socket, upstream: int, delay: "Synchronized[float]", turns: "Synchronized[int]"
    ) -> None:
        self._listener, self._upstream, self._delay, self._turns = listener, upstream, delay, turns
        self._ends: dict[int, _End] = {}
        self._due: list[tuple[float, int, _End, bytes]] = []
        self._order = count()
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)

    def run(self) -> None:
        while True:
            timeout = max(0.0, self._due[0][0] - time.perf_counter()) if self._due else None
            select.select([self._poll], [], [], timeout)
            for descriptor, _ in self._poll.poll(0):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor in self._ends:
                    self._read(self._ends[descriptor])
            while self._due and self._due[0][0] <= time.perf_counter():
                self._pass_on(*heapq.heappop(self._due)[2:])

    def _accept(self) -> None:
        client, server = (
            _End(self._listener.accept()[0], is_client=True),
            _End(socket.create_connection(("127.0.0.1", self._upstream)), is_client=False),
        )
        client.peer, server.peer = server, client
        for end in (client, server):
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends[end.sock.fileno()] = end
            self._poll.register(end.sock, select.EPOLLIN)

    def _read(self, end: _End) -> None:
        data = b""
        with suppress(OSError):
            data = end.sock.recv(CHUNK)
        if end.is_client and not end.spoke_last and data:
            self._turns.value += 1
        end.spoke_last, end.peer.spoke_last = True, False
        if not data:
            self._poll.unregister(end.sock)
            del self._ends[end.sock.fileno()]
        heapq.heappush(self._due, (time.perf_counter() + self._delay.value, next(self._order), end.peer, data))

    def _pass_on(self, end: _End, data: bytes) -> None:
        with suppress(OSError):  # it is gone; the other side will see
            if data:
                end.sock.sendall(data)
            else:
                end.sock.shutdown(socket.SHUT_WR)


@dataclass(frozen=True)
class Proxy:
    port: int
    _delay: "Synchronized[float]"
    _turns: "Synchronized[int]"

    @property
    def turns(self) -> int:
        return self._turns.value

    def move(self, seconds: float) -> None:
        """Be farther away by so much, each way, or nearer."""
        self._delay.value += seconds

    @classmethod
    @contextmanager
    def start(cls, upstream: int, delay: float) -> "Iterator[Proxy]":
        """Listen on a free port of 127.0.0.1, in a process of its own, for connections to the port `upstream`."""
        away, turns = CONTEXT.Value("d", delay, lock=False), CONTEXT.Value("q", 0, lock=False)
        with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
            process = CONTEXT.Process(target=_serve, args=(listener, upstream, away, turns), daemon=True)
            process.start()
            try:
                yield cls(listener.getsockname()[1], away, turns)
            finally:
                process.terminate()
                process.join()


def _serve(listener: socket.socket, upstream: int, delay: "Synchronized[float]", turns: "Synchronized[int]") -> None:
    with suppress(KeyboardInterrupt):
        _Loop(listener, upstream, delay, turns).run()
    os._exit(0)
