"""Schemathesis against a live service: whatever it sends, no 5xx and no answer that the document does not have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import live
from tests.tokens import token

EXAMPLES = "25"
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SEED = ("--seed", "1") if os.environ.get("CI") else ()


@pytest.mark.django_db
def test_every_answer_is_documented(tmp_path: Path) -> None:
    with live.serve("gunicorn", {"LOG_LEVEL": "ERROR"}) as base_url:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIGURATION)),
            *("run", f"{base_url}/openapi.json"),
            *("--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES, *SEED),
            *("--header", f"Authorization: Bearer {token('schemathesis')}", "--no-color"),
        ]
        env = os.environ | {"SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks", "PYTHONPATH": str(live.ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2000:]
