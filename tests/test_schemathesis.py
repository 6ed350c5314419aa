"""Schemathesis against a live service: whatever it sends, no 5xx and no answer that the document does not have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import live
from tests.tokens import token

EXAMPLES = "40"
SEED = ("--seed", "1") if os.environ.get("CI") else ()


@pytest.mark.django_db
def test_every_answer_is_documented(tmp_path: Path) -> None:
    with live.serve("gunicorn", {"LOG_LEVEL": "ERROR"}) as base_url:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{base_url}/openapi.json"),
            *("--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES, *SEED),
            *("--header", f"Authorization: Bearer {token('schemathesis')}", "--no-color"),
        ]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2000:]
