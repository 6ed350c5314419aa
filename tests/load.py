"""Many clients at once, each of whose requests is accounted for."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.tokens import token


@dataclass
class Load:
    """What became of the requests: answers by status, those that found the door closed, those that were cut off."""

    base_url: str
    sub: str
    answers: Counter[int] = field(default_factory=Counter)
    created: list[str] = field(default_factory=list)
    refused: int = 0
    cut: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def client(self, *, keep: bool) -> None:
        """Create tasks until stopped or refused, over one connection or over a fresh one each time."""
        connection = HTTPConnection(urlsplit(self.base_url).netloc, timeout=30)
        while not self.stopped.is_set():
            try:
                if connection.sock is None:
                    connection.connect()
            except ConnectionRefusedError:
                self.refused += 1
                return
            self._create(connection)
            if not keep:
                connection.close()
        connection.close()

    def _create(self, connection: HTTPConnection) -> None:
        headers = {"Authorization": f"Bearer {token(self.sub)}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/tasks", b'{"text": "under load"}', headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as exc:
            connection.close()
            self.cut.append(repr(exc))
            return
        self.answers[response.status] += 1
        if response.status == 201:
            self.created.append(json.loads(body)["id"])

    @property
    def total(self) -> int:
        return self.answers.total() + len(self.cut)


@contextmanager
def load(base_url: str, sub: str, kept: int = 4, fresh: int = 4) -> Iterator[Load]:
    """So many clients that keep their connection, and so many that open one for each request, for as long as this."""
    running = Load(base_url, sub)
    threads = [
        threading.Thread(target=running.client, kwargs={"keep": keep}) for keep in [True] * kept + [False] * fresh
    ]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stopped.set()
        for thread in threads:
            thread.join()
