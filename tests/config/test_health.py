"""What the log has of a database that only probes ask."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from config import health
from config.health import DatabaseProbe

pytestmark = pytest.mark.django_db


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseProbe]:
    monkeypatch.setattr(health, "ANSWER_SECONDS", 20)
    probe = DatabaseProbe()
    yield probe
    probe.close()


def _refuse(monkeypatch: pytest.MonkeyPatch, probe: DatabaseProbe) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "PASSWORD", "wrong")
    probe.close()


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_failed_probe_says_why(probe: DatabaseProbe, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch, probe)
    assert not probe.connected()
    (line,) = _lines(log)
    assert (line["event"], line["level"]) == ("database_unavailable", "warning")
    assert "password authentication failed" in line["message"]


def test_failed_probes_are_not_all_in_the_log(
    probe: DatabaseProbe, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse(monkeypatch, probe)
    for _ in range(3):
        assert not probe.connected()
    assert len(_lines(log)) == 1
    monkeypatch.setattr(health, "READY_SECONDS", 0)
    assert not probe.connected()
    assert len(_lines(log)) == 2


def test_each_outage_is_in_the_log(probe: DatabaseProbe, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        assert probe.connected()
        with monkeypatch.context() as wrong:
            _refuse(wrong, probe)
            assert not probe.connected()
    assert len(_lines(log)) == 2
