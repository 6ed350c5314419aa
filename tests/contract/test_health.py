"""The probes, with a database that answers. Without one: tests/test_faults.py."""

from config import __version__
from tests.client import User


def test_health_reports_the_database(nobody: User) -> None:
    answer = nobody.get("/health")
    assert (answer.status, answer.json) == (200, {"status": "healthy", "database": "connected", "version": __version__})


def test_liveness_answers(nobody: User) -> None:
    answer = nobody.get("/livez")
    assert (answer.status, answer.json) == (200, {"status": "alive"})


def test_readiness_answers(nobody: User) -> None:
    answer = nobody.get("/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready"})


def test_probes_are_never_stored(nobody: User) -> None:
    for path in ("/health", "/livez", "/readyz"):
        assert nobody.get(path).headers["cache-control"] == "no-store"
