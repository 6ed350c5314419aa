"""What PostgreSQL's protocol (version 3) says at the wire, as far as it takes to count."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

CANCEL, SSL, GSS = 80877102, 80877103, 80877104  # the requests that may stand in place of a start-up message
UNTYPED, TYPED = 4, 5  # bytes of a header: the length; a letter and the length


class Message(NamedTuple):
    """One message of a client: its letter, and the SQL of a Query (Q), of a Parse (P), or of what a Bind (B) is for."""

    type: str
    sql: str


@dataclass
class Wire:
    """What passed while somebody counted.

    A round trip is what a client sent up to a ReadyForQuery of the server: logging in is one, and so are several
    statements sent without waiting in between.
    """

    round_trips: int = 0
    ready_for_query: int = 0
    connections_opened: int = 0
    bytes_sent: int = 0
    """By clients, in all; 0 means that they sent nothing whatever."""
    messages: list[Message] = field(default_factory=list)

    @property
    def statements(self) -> list[str]:
        """What was run, again and again if it was prepared."""
        return [message.sql for message in self.messages if message.type in {"Q", "B"}]

    @property
    def prepared(self) -> list[str]:
        return [message.sql for message in self.messages if message.type == "P"]


class Dialogue:
    """One connection, listened to from between."""

    def __init__(self) -> None:
        self._client, self._server = _Cutter(UNTYPED), _Cutter(TYPED)
        self._prepared: dict[bytes, str] = {}
        self._asked = False

    def client_sent(self, data: bytes, wires: list[Wire]) -> None:
        self._asked = True
        for letter, body in self._client.cut(data):
            if self._client.header == UNTYPED:
                self._begin(int.from_bytes(body[:4]))
            message = Message(letter.decode("latin-1"), self._sql(letter, body))
            for wire in wires:
                wire.messages.append(message)
        for wire in wires:
            wire.bytes_sent += len(data)

    def _begin(self, request: int) -> None:
        if request in {SSL, GSS}:
            self._server.skip += 1  # the answer is one letter
        elif request != CANCEL:
            self._client.header = TYPED

    def _sql(self, letter: bytes, body: bytes) -> str:
        first, _, rest = body.partition(b"\0")
        second = rest.partition(b"\0")[0]
        if letter == b"P":  # a name, and what it stands for
            self._prepared[first] = second.decode(errors="replace")
            return self._prepared[first]
        if letter == b"B":  # a portal, and a name
            return self._prepared.get(second, "")
        return first.decode(errors="replace") if letter == b"Q" else ""

    def server_sent(self, data: bytes, wires: list[Wire]) -> None:
        for letter, _ in self._server.cut(data):
            if letter == b"Z":
                for wire in wires:
                    wire.ready_for_query += 1
                    wire.round_trips += self._asked
                self._asked = False


class _Cutter:
    """Cuts a stream into messages; one without a letter has an empty one."""

    def __init__(self, header: int) -> None:
        self.header = header
        self.skip = 0
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        data = self._rest + data
        begin = min(self.skip, len(data))
        self.skip -= begin
        while (body := begin + self.header) <= len(data):
            end = body - 4 + int.from_bytes(data[body - 4 : body])
            if end > len(data):
                break
            yield data[begin : body - 4], data[body:end]
            begin = end
        self._rest = data[begin:]
