"""The probes, with a database that answers. Without one: tests/test_faults.py."""

import time

from config import __version__
from tests.client import Answer, User


def _good(nobody: User, probe: str) -> Answer:
    """An answer of 200, which the database has 80 ms for: on a busy machine not each one comes in time."""
    until = time.monotonic() + 5
    while (answer := nobody.get(probe)).status != 200 and time.monotonic() < until:
        time.sleep(0.05)
    return answer


def test_health_reports_the_database(nobody: User) -> None:
    answer = _good(nobody, "/health")
    assert (answer.status, answer.json) == (200, {"status": "healthy", "database": "connected", "version": __version__})


def test_liveness_answers(nobody: User) -> None:
    answer = nobody.get("/livez")
    assert (answer.status, answer.json) == (200, {"status": "alive"})


def test_readiness_answers(nobody: User) -> None:
    answer = _good(nobody, "/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready"})


def test_probes_are_never_stored(nobody: User) -> None:
    for path in ("/health", "/livez", "/readyz"):
        assert nobody.get(path).headers["cache-control"] == "no-store"
