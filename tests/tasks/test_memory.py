"""What is remembered of lists, and for how long."""

import time

import pytest

from tasks import memory
from tasks.memory import UNKNOWN, Known


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_known", type(memory._known)())


def _go_on(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic() + seconds
    monkeypatch.setattr(time, "monotonic", lambda: now)


def test_recall_knows_what_was_remembered_last() -> None:
    assert memory.recall("a") == UNKNOWN
    for known in (Known(1, 10), Known(2, 20)):
        memory.remember("a", known)
        assert memory.recall("a") == known
    assert memory.recall("b") == UNKNOWN


def test_recall_forgets_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.remember("a", Known(1, 10))
    _go_on(monkeypatch, 3599)
    assert memory.recall("a") == Known(1, 10)
    _go_on(monkeypatch, 2)
    assert memory.recall("a") == UNKNOWN


def test_remember_forgets_what_was_remembered_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST", 2)
    for key in ("a", "b", "a", "c"):
        memory.remember(key, Known(1, key))
    assert [memory.recall(key).value for key in ("a", "b", "c")] == ["a", UNKNOWN.value, "c"]
