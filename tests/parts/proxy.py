"""A TCP proxy between the service and its database that delays, cuts, swallows, refuses and counts."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from tests.parts.address import Address, free_address, relocate
from tests.parts.passage import Client, Rules
from tests.parts.wire import Wire

SECONDS = 10.0


class Proxy:
    """Runs in a thread of its own; its methods return when what they say is so. It listens at `address`."""

    def __init__(self, target: Address) -> None:
        self.address = free_address()
        self._rules = Rules(target)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)
        self._alive = threading.Event()
        self._listener: socket.socket | None = None
        self._accepting: set[asyncio.Task[object]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._alive.wait(SECONDS)
        self.resume()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.refuse()
        self._do(self._over.set)
        self._thread.join(SECONDS)

    async def _live(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._alive.set()
        await self._over.wait()
        await self._end()

    async def _end(self) -> None:
        """Close what is open, and what asyncio is about to open, so that nothing is left to the garbage collector."""
        while self._rules.ends or len(asyncio.all_tasks()) > 1:
            self._cut(reset=False)
            for opening in self._rules.openings:
                opening.cancel()
            await asyncio.sleep(0)

    def to(self, url: str) -> str:
        """Return the URL of the same role and database through here."""
        return relocate(url, self.address)

    @property
    def connections(self) -> int:
        """How many connections of clients are open now."""
        return len(self._rules.clients)

    @contextmanager
    def counting(self) -> Iterator[Wire]:
        """Count what passes. Whatever a client has an answer to has been counted."""
        wire = Wire()
        self._do(lambda: self._rules.wires.append(wire))
        try:
            yield wire
        finally:
            self._do(lambda: self._rules.wires.remove(wire))

    def delay(self, seconds: float) -> None:
        """Let all that is sent from now on take so long in each direction: a round trip takes twice that."""
        self._rules.seconds = seconds

    def cut(self, *, reset: bool = False) -> None:
        """End every connection, with a good-bye (FIN) or a reset (RST); new ones are served."""
        self._do(lambda: self._cut(reset=reset))

    def _cut(self, *, reset: bool) -> None:
        for end in list(self._rules.ends):
            end.end(reset=reset)

    def abandon(self) -> None:
        """Pass nothing more on in open connections, and say nothing of it; new ones are served."""
        self._do(self._abandon)

    def _abandon(self) -> None:
        for end in list(self._rules.ends):
            end.abandoned = True

    def swallow(self) -> None:
        """Accept connections and bytes and pass nothing on, be it data, an end or an error, until `resume`."""
        self._do(self._rules.heard.clear)

    def refuse(self) -> None:
        """Refuse new connections, until `resume`; open ones stay."""
        self._do(self._refuse)

    def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def resume(self) -> None:
        """Serve again without delay, and pass on what was swallowed."""
        self._do(self._resume)

    def _resume(self) -> None:
        self._rules.seconds = 0
        self._rules.heard.set()
        for end in list(self._rules.ends):
            end.pass_on()
        if self._listener is None:
            self._listener = socket.create_server(self.address, backlog=512)
            self._listener.settimeout(0)
            self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # the client has gone
            connection, _ = listener.accept()
            connection.settimeout(0)
            accepting = self._loop.connect_accepted_socket(lambda: Client(self._rules), connection)
            task = self._loop.create_task(accepting)
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    def _do(self, action: Callable[[], object]) -> None:
        async def act() -> None:
            action()

        asyncio.run_coroutine_threadsafe(act(), self._loop).result(SECONDS)
