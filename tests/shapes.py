"""What every task and every error looks like."""

import re
from typing import Any

from config.errors import CODES
from tasks.schemas import SERVER_FIELDS
from tests.client import Answer

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HEALTH_FIELDS = {"status", "database", "version"}  # which /health has also when it fails
TASK_FIELDS = {"text", "completed", "order", *SERVER_FIELDS}


def assert_task(task: dict[str, Any]) -> None:
    assert set(task) == TASK_FIELDS
    assert UUID7.fullmatch(task["id"])
    assert TIMESTAMP.fullmatch(task["created_at"])
    assert TIMESTAMP.fullmatch(task["updated_at"])
    assert task["completed"] is (task["completed_at"] is not None)
    if task["completed"]:
        assert TIMESTAMP.fullmatch(task["completed_at"])


def assert_error(answer: Answer, status: int, *mentioned: str) -> None:
    """An error of this status, in the one shape; each of `mentioned` is in one of its details."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    error = answer.json
    assert {"error", "message"} <= set(error) <= {"error", "message", "details", *HEALTH_FIELDS}
    assert error["error"] == CODES[status]
    assert error["message"]
    if "details" in error:
        assert error["details"]
        assert all(isinstance(line, str) for line in error["details"])
    for text in mentioned:
        assert any(text in line for line in error["details"]), error


def assert_nothing_inline(page: str) -> None:
    """No script, style or handler that our Content-Security-Policy would stop."""
    tags = re.findall(r"<[a-z][^>]*>", page)
    assert any(tag.startswith("<script") for tag in tags)
    for tag in tags:
        assert not tag.startswith("<script") or " src=" in tag or 'type="application/json"' in tag, tag
        assert not tag.startswith("<style"), tag
        assert not re.search(r"""\s(style|on[a-z]+)\s*=|=\s*["']?\s*javascript:""", tag), tag
