"""What is asked: the requests of each case, whole, for different users and tasks, in an order that chance decides."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from bench.data import LARGE_USER, Connection
from bench.systems import ORIGIN, SECRET

MIXTURE = {"list": 70, "one": 15, "patch": 10, "post": 5}
READS, WRITES, DELETES = 5_000, 20_000, 40_000
PAGE = 50


@dataclass(frozen=True)
class Tasks:
    """Whose tasks there are, of the users who have 50 each, and a token of everybody."""

    owned: tuple[tuple[str, str], ...]  # task, user
    tokens: Mapping[str, str]
    reader: str = LARGE_USER  # whose pages are read

    @classmethod
    def read(cls, rows: Connection) -> "Tasks":
        found = rows.execute(
            "SELECT id::text, user_id FROM rows WHERE user_id <> %s ORDER BY id", [LARGE_USER]
        ).fetchall()
        users = [*sorted({user for _, user in found}), LARGE_USER]
        return cls(tuple(found), {user: token(user) for user in users})

    def request(self, method: str, path: str, user: str, body: Mapping[str, Any] | None = None) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\n"
        head += f"Authorization: Bearer {self.tokens[user]}\r\n"
        if body is None:
            return f"{head}\r\n".encode()
        content = json.dumps(body)
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode()


def token(user: str, secret: str = SECRET) -> str:
    """As an application in front of Better Auth signs it."""
    now = int(time.time())
    claims = {"sub": user, "email": f"{user}@example.com", "name": user, "iat": now, "exp": now + 24 * 3600}
    return jwt.encode(claims, secret, algorithm="HS256")


@dataclass(frozen=True)
class Chance:
    """One request of each kind, of tasks and users that the seed decides; `label` is in every text."""

    tasks: Tasks
    seed: str
    label: str

    def __post_init__(self) -> None:
        random.seed(self.seed)

    def one(self) -> bytes:
        task, user = random.choice(self.tasks.owned)
        return self.tasks.request("GET", f"/tasks/{task}", user)

    def list(self) -> bytes:
        _, user = random.choice(self.tasks.owned)
        return self.tasks.request("GET", "/tasks", user)

    def page(self) -> bytes:
        return self.tasks.request("GET", f"/tasks?limit={PAGE}", self.tasks.reader)

    def post(self) -> bytes:
        _, user = random.choice(self.tasks.owned)
        return self.tasks.request("POST", "/tasks", user, {"text": self._text()})

    def patch(self) -> bytes:
        task, user = random.choice(self.tasks.owned)
        return self.tasks.request("PATCH", f"/tasks/{task}", user, {"text": self._text()})

    def put(self) -> bytes:
        task, user = random.choice(self.tasks.owned)
        body = {"text": self._text(), "completed": random.choice([True, False])}
        return self.tasks.request("PUT", f"/tasks/{task}", user, body)

    def mixed(self) -> bytes:
        kind: Callable[[], bytes] = getattr(self, random.choices(list(MIXTURE), list(MIXTURE.values()))[0])
        return kind()

    def _text(self) -> str:
        return f"Buy bread, {self.label} {random.getrandbits(32)}"


def requests(case: str, tasks: Tasks, seed: str, label: str) -> list[bytes]:
    """The requests of a case: of the same seed the same, but for texts, which differ so that every change is one.

    Of a task there is one DELETE.
    """
    if case == "delete":
        chosen = random.Random(seed).sample(tasks.owned, DELETES)
        return [tasks.request("DELETE", f"/tasks/{task}", user) for task, user in chosen]
    make: Callable[[], bytes] = getattr(Chance(tasks, seed, label), case)
    return [make() for _ in range(READS if case in {"one", "list", "page"} else WRITES)]
