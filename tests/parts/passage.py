"""The connections that pass through the proxy, each with two ends; all of it in the proxy's thread."""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from tests.parts.address import Address
from tests.parts.wire import Dialogue, Wire

NO_LINGER = struct.pack("ii", 1, 0)  # a socket closed so resets its connection
FIN, RST = b"", None  # among the bytes to be sent


@dataclass
class Rules:
    """How connections pass, now."""

    target: Address
    seconds: float = 0.0
    """The delay in each direction."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, nothing passes."""
    wires: list[Wire] = field(default_factory=list)
    ends: "set[End]" = field(default_factory=set)
    """The open ones."""
    openings: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def clients(self) -> "list[Client]":
        return [end for end in self.ends if isinstance(end, Client)]


class End(asyncio.Protocol):
    """One of the two sockets of a connection: what arrives at one leaves by the other."""

    other: "End"
    abandoned = False  # nothing leaves by it any more

    def __init__(self, rules: Rules, note: Callable[[bytes, list[Wire]], None]) -> None:
        self.rules = rules
        self._note = note
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.rules.ends.add(self)
        self.pass_on()

    def data_received(self, data: bytes) -> None:
        self._note(data, self.rules.wires)
        self.other.send(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.rules.ends.discard(self)
        self.other.send(FIN if exc is None else RST)

    def send(self, data: bytes | None) -> None:
        if self.abandoned:
            return
        self._queue.append((time.monotonic() + self.rules.seconds, data))
        self.pass_on()

    def pass_on(self) -> None:
        """Send what is due, unless nothing passes."""
        while self._transport is not None and self._queue and self.rules.heard.is_set():
            wait = self._queue[0][0] - time.monotonic()
            if wait > 0:
                asyncio.get_running_loop().call_later(wait, self.pass_on)
                return
            data = self._queue.popleft()[1]
            if data:
                self._transport.write(data)
            elif data == FIN:
                self._transport.close()
            else:
                self.end(reset=True)

    def end(self, *, reset: bool) -> None:
        """Close the socket now, whatever was still to be sent."""
        self._queue.clear()
        if self._transport is not None and not self._transport.is_closing():
            if reset:
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self._transport.abort()


class Client(End):
    """The end that a client opened. The other one is opened for it as soon as anything passes."""

    def __init__(self, rules: Rules) -> None:
        dialogue = Dialogue()
        super().__init__(rules, dialogue.client_sent)
        self.other = End(rules, dialogue.server_sent)
        self.other.other = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        for wire in self.rules.wires:
            wire.connections_opened += 1
        opening = asyncio.get_running_loop().create_task(self._open())
        self.rules.openings.add(opening)
        opening.add_done_callback(self.rules.openings.discard)

    async def _open(self) -> None:
        await self.rules.heard.wait()
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.other, *self.rules.target)
        except OSError:
            self.end(reset=True)
