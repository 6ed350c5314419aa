"""Does a worker grow? Sends 200,000 requests of all kinds and prints the memory of each worker as it goes.

It takes minutes and so is no part of the suite: `make test TEST="tests/soak.py -s"`.
"""

import json
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tqdm import tqdm

from tests import live
from tests.parts.process import children
from tests.tokens import token

pytestmark = pytest.mark.django_db(databases=["default", "operator"])
REQUESTS = 200_000
CLIENTS = 8
STEPS = 10


class Client(threading.Thread):
    """Sends one mixture after the other over one connection; `sent` counts the requests."""

    def __init__(self, base_url: str, number: int, requests: int) -> None:
        super().__init__()
        self.sent = 0
        self._requests = requests
        self._connection = HTTPConnection(urlsplit(base_url).netloc, timeout=30)
        self._headers = {"Authorization": f"Bearer {token(f'soak-{number}', exp=int(time.time()) + 24 * 3600)}"}

    def run(self) -> None:
        while self.sent < self._requests:
            self._mixture()
        self._connection.close()

    def _mixture(self) -> None:
        task = json.loads(self._send(201, "POST", "/tasks", {"text": "Buy groceries " * 20}))
        path = f"/tasks/{task['id']}"
        self._send(200, "GET", "/tasks")
        self._send(200, "GET", path)
        self._send(200, "PATCH", path, {"completed": True})
        self._send(422, "PUT", path, {"text": " "})
        self._send(404, "GET", f"/nowhere/{self.sent}")
        self._send(200, "GET", "/livez")
        self._send(401, "GET", "/tasks", headers={"Authorization": f"Bearer {self.sent}"})
        self._send(413, "POST", "/tasks", {"text": "a" * 70_000})
        self._send(204, "DELETE", path)

    def _send(
        self, status: int, method: str, path: str, document: object = None, headers: dict[str, str] | None = None
    ) -> bytes:
        body = None if document is None else json.dumps(document)
        sent = {"Content-Type": "application/json"} | (headers or self._headers)
        self._connection.request(method, path, body, sent)
        response = self._connection.getresponse()
        received = response.read()
        assert response.status == status, (method, path, response.status, received)
        self.sent += 1
        return received


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_workers_do_not_grow() -> None:
    with live.start("gunicorn", {"WEB_CONCURRENCY": "2", "LOG_LEVEL": "WARNING"}, ["--max-requests", "0"]) as server:
        clients = [Client(server.base_url, number, REQUESTS // CLIENTS) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        sizes = []
        with tqdm(total=REQUESTS, unit=" requests") as bar:
            for step in range(STEPS + 1):
                while bar.n < REQUESTS * step // STEPS and any(client.is_alive() for client in clients):
                    time.sleep(0.1)
                    bar.update(sum(client.sent for client in clients) - bar.n)
                sizes.append([_megabytes(pid) for pid in children(server.process.pid)])
                bar.write(f"{bar.n:>8}  {'  '.join(f'{size:6.1f}' for size in sizes[-1])}  MB")
    assert bar.n >= REQUESTS
    for early, late in zip(sizes[2], sizes[-1], strict=True):
        assert late < early + 10, "all threads and caches are there after a fifth of the requests"
