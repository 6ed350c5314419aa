"""Neon's proxy as its documentation and its users' reports show it: in its words, for what no PostgreSQL here says."""

import socketserver
import struct
import threading
from typing import Self

from tests.parts.address import Address

SSL_REQUEST = 80877103
SETTINGS = (b"TimeZone\0UTC\0", b"server_version\0" + b"18.4\0")
HELLO = b"R\0\0\0\x08\0\0\0\0" + b"".join(b"S" + struct.pack("!I", len(each) + 4) + each for each in SETTINGS)
READY = b"Z\0\0\0\x05I"


def _error(sqlstate: str, message: str) -> bytes:
    fields = f"SERROR\0VERROR\0C{sqlstate}\0M{message}\0\0".encode()
    return b"E" + struct.pack("!I", len(fields) + 4) + fields


class _Session(socketserver.StreamRequestHandler):
    server: "_Listener"

    def handle(self) -> None:
        """Refuse at the door, or let in and refuse each statement."""
        while (startup := self._message())[:4] == struct.pack("!I", SSL_REQUEST):
            self.wfile.write(b"N")
        self.server.part.sessions += bool(startup)
        refusal = _error(self.server.part.sqlstate, self.server.part.message)
        if self.server.part.at_the_door:
            self.wfile.write(refusal)
            return
        self.wfile.write(HELLO + READY)
        while kind := self.rfile.read(1):
            self._message()
            if kind == b"P":  # what follows is passed over, up to the Sync
                self.wfile.write(refusal)
            elif kind == b"S":
                self.wfile.write(READY)
            elif kind == b"Q":
                self.wfile.write(refusal + READY)

    def _message(self) -> bytes:
        head = self.rfile.read(4)
        return self.rfile.read(struct.unpack("!I", head)[0] - 4) if head else b""


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    part: "NeonProxy"


class NeonProxy:
    """Answers every login, or every statement, with one error."""

    def __init__(self, message: str, sqlstate: str = "XX000", *, at_the_door: bool = True) -> None:
        self.message, self.sqlstate, self.at_the_door = message, sqlstate, at_the_door
        self.sessions = 0
        self._listener = _Listener(("127.0.0.1", 0), _Session)
        self._listener.part = self
        self.address = Address("127.0.0.1", self._listener.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown()
        self._listener.server_close()
