"""Many requests at once, each with what it took."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.client import Answer, User

ANSWER_SECONDS = 5.0
HEAL_SECONDS = 5.0


@dataclass(frozen=True)
class Timed:
    answer: Answer
    seconds: float


def timed(request: Callable[[], Answer]) -> Timed:
    started = time.monotonic()
    answer = request()
    return Timed(answer, time.monotonic() - started)


def at_once(requests: Sequence[Callable[[], Answer]]) -> list[Timed]:
    """Send them all at the same time."""
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(timed, requests))


def lists(user: User, number: int) -> list[Callable[[], Answer]]:
    return [lambda: user.get("/tasks")] * number


def heals(user: User) -> bool:
    """Whether the service answers again within HEAL_SECONDS, and goes on doing so."""
    deadline = time.monotonic() + HEAL_SECONDS
    for path in ("/tasks", "/health"):
        while user.get(path).status != 200:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
    return all(timed.answer.status == 200 for timed in at_once(lists(user, 20)))
