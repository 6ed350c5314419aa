"""The Dockerfile, as far as it can be checked without building it."""

import json
import re

import pytest

from tests.live import COMMANDS, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines()


def _arguments(instruction: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in INSTRUCTIONS if line.startswith(f"{instruction} ")]


def test_container_runs_what_the_tests_run() -> None:
    name, *options = json.loads(_arguments("CMD")[0])
    assert [name, *options] == [part for part in COMMANDS["gunicorn"] if part not in {"-b", "fd://{fd}"}]


@pytest.mark.parametrize("copied", [line.split()[0] for line in _arguments("COPY") if not line.startswith("--from")])
def test_container_gets_what_exists_and_is_sent_to_the_builder(copied: str) -> None:
    assert (ROOT / copied).exists()
    assert f"!{copied}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_container_has_every_package_that_is_imported() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages <= {line.split()[0] for line in _arguments("COPY")}


def test_container_ends_on_sigterm_and_has_no_rights() -> None:
    assert _arguments("STOPSIGNAL") == ["SIGTERM"]
    assert _arguments("USER") == ["10001:10001"]


def test_container_can_be_read_when_the_clone_cannot() -> None:
    assert any("chmod -R a+rX ." in run for run in _arguments("RUN"))


def test_base_is_pinned() -> None:
    first, *others = _arguments("FROM")
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64} AS base", first)
    assert {other.split()[0] for other in others} == {"base"}
