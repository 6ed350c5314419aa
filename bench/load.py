"""The load: wrk, with requests that are written out before it starts."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from itertools import islice
from pathlib import Path
from socket import create_connection, socket

HERE = Path(__file__).parent
UNPACKED = HERE / "packages" / "bin"


@dataclass(frozen=True)
class Load:
    """What wrk saw. Requests per second count answers of any status; `errors` says how many were none to count on."""

    requests: int
    seconds: float
    p50: float  # milliseconds
    p99: float
    errors: dict[str, int]  # by kind: connect, read, write, timeout, status (400 and above)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True)
class Script:
    """Requests, in the order in which wrk sends them, and the file that has them."""

    path: Path
    requests: list[bytes]

    def write(self) -> None:
        self.path.write_bytes(b"\0".join(self.requests))


def wrk() -> str:
    found = shutil.which("wrk") or shutil.which("wrk", path=str(UNPACKED))
    if found is None:
        raise SystemExit("wrk is not here: run `make bench`, or install it")
    return found


def run(port: int, script: Script, connections: int, seconds: int) -> Load:
    """Send the requests, as fast as they are answered, for so many seconds."""
    options = ["--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "10s"]
    lua = ["--script", str(HERE / "wrk.lua"), f"http://127.0.0.1:{port}", "--", str(script.path)]
    printed = subprocess.run([wrk(), *options, *lua], check=True, capture_output=True, text=True).stdout
    said = json.loads(printed[printed.rindex('{"requests"') :])
    errors = {kind: number for kind, number in said["errors"].items() if number}
    return Load(said["requests"], said["microseconds"] / 1e6, said["p50"] / 1000, said["p99"] / 1000, errors)


def send(port: int, requests: Iterable[bytes], connections: int = 1) -> None:
    """Send these requests, so many at a time, each on a connection of its own, which no server has to keep.

    Raises RuntimeError if one is refused.
    """
    turns = iter(requests)
    while batch := list(islice(turns, connections)):
        with ExitStack() as stack:
            socks = [stack.enter_context(create_connection(("127.0.0.1", port), 10)) for _ in batch]
            for sock, request in zip(socks, batch, strict=True):
                sock.sendall(request)
            for sock, request in zip(socks, batch, strict=True):
                _expect_success(sock, request)


def _expect_success(sock: socket, request: bytes) -> None:
    response = HTTPResponse(sock, method=request.partition(b" ")[0].decode())
    response.begin()
    response.read()
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise RuntimeError(f"{request.partition(b' HTTP')[0].decode()}: {response.status}")


def warm_up(port: int, script: Script, connections: int) -> None:
    """Send the last requests, so that every thread has its connection to the database."""
    connections = max(connections, 16)
    send(port, script.requests[-3 * connections :], connections)
