"""The OpenAPI document: committed, true, clean, and good enough for generators."""

import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from config.api import api
from config.errors import CODES
from tests import npm
from tests.client import User

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "openapi.json"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}

OPERATIONS = {
    ("/tasks", "get"): "listTasks",
    ("/tasks", "post"): "createTask",
    ("/tasks/batch", "post"): "batchTasks",
    ("/tasks/changes", "get"): "listChanges",
    ("/tasks/clear-completed", "post"): "clearCompleted",
    ("/tasks/{task_id}", "get"): "getTask",
    ("/tasks/{task_id}", "put"): "replaceTask",
    ("/tasks/{task_id}", "patch"): "updateTask",
    ("/tasks/{task_id}", "delete"): "deleteTask",
    ("/tasks/{task_id}/move", "post"): "moveTask",
    ("/me", "get"): "getMe",
    ("/me", "delete"): "eraseMe",
    ("/me/export", "get"): "exportMe",
    ("/health", "get"): "getHealth",
    ("/livez", "get"): "getLiveness",
    ("/readyz", "get"): "getReadiness",
}


def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    document = json.loads(COMMITTED.read_text())
    return {(path, method): op for path, ops in document["paths"].items() for method, op in ops.items()}


def test_committed_document_is_the_served_one(nobody: User) -> None:
    answer = nobody.get("/openapi.json")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json == json.loads(COMMITTED.read_text()), "run `make openapi`"


def test_exported_document_is_the_committed_one() -> None:
    out = io.StringIO()
    call_command("export_openapi", stdout=out)
    assert out.getvalue() == COMMITTED.read_text()


def test_document_is_built_once() -> None:
    assert api.get_openapi_schema() is api.get_openapi_schema()


def test_operation_ids_are_stable() -> None:
    assert {where: operation["operationId"] for where, operation in _operations().items()} == OPERATIONS


@pytest.mark.parametrize("where", OPERATIONS, ids=lambda where: f"{where[1]} {where[0]}")
def test_operation_is_described_with_its_errors(where: tuple[str, str]) -> None:
    operation = _operations()[where]
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    errors = {int(status) for status in operation["responses"] if int(status) >= 400}
    expected = {413, 500}
    if where[0].startswith(("/tasks", "/me")):
        assert operation["security"] == [{"BearerAuth": []}]
        expected |= {400, 401, 422, 429, 503}
        expected |= {404, 412} if "{" in where[0] else set()
        expected |= {410} if where[0] == "/tasks/changes" else set()
        expected |= {415} if "requestBody" in operation else set()
        expected |= {409} if any(one.get("name") == "Idempotency-Key" for one in operation["parameters"]) else set()
    else:
        assert operation["security"] == []
        expected |= {503} if where[0] != "/livez" else set()
    assert errors == expected <= set(CODES)


def test_creation_takes_a_key_and_may_be_a_replay() -> None:
    create = _operations()["/tasks", "post"]
    (key,) = create["parameters"]
    assert (key["in"], key["name"], key["required"]) == ("header", "Idempotency-Key", False)
    assert re.fullmatch(key["schema"]["pattern"], key["example"])
    assert "Idempotency-Replayed" in create["responses"]["201"]["headers"]
    assert "409" in create["responses"]


def _run(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, env={"PATH": _path(), **QUIET}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _path() -> str:
    return f"{Path(npm.node()).parent}:/usr/bin:/bin"


def test_document_is_clean_by_redocly() -> None:
    _run(npm.tool("redocly"), "lint", "--config", "tests/npm/redocly.yaml", "openapi.json")


def test_document_is_clean_by_spectral() -> None:
    _run(npm.tool("spectral"), "lint", "--ruleset", "tests/npm/spectral.yaml", "--fail-severity=hint", "openapi.json")
