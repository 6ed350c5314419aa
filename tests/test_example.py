"""The worked example of CONTRIBUTING.md: its patch applies to the code as it is, and the field that it adds works."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import OWNER_URL
from tests.live import ROOT

PATCH = ROOT / "docs" / "examples" / "add-a-field.patch"
CODE = ("authjwt", "bench", "config", "tasks", "tests", "examples")
FILES = ("manage.py", "pyproject.toml")
CONCERNED = (
    "tests/contract/test_priority.py",
    "tests/tasks/test_priority.py",
    "tests/tasks/admin/test_form.py::test_add_lets_the_database_decide_the_times",
)
MIGRATED_AND_DOCUMENTED = """
import django
from django.core.management import call_command
django.setup()
call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
call_command("export_openapi")
"""
NOT_INSTALLED = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "packages*")


@pytest.fixture
def patched(tmp_path: Path) -> Path:
    """A copy of the code, with the field."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    there = tmp_path / "patched"
    for name in CODE:
        shutil.copytree(ROOT / name, there / name, ignore=NOT_INSTALLED)
    for name in FILES:
        shutil.copy(ROOT / name, there)
    applied = _run(there, "git", "apply", str(PATCH), GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert applied.returncode == 0, f"run `make example`:\n{applied.stderr}"
    return there


def _run(there: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=there, env=os.environ | env, capture_output=True, text=True, check=False)


def _python(there: Path, *command: str) -> str:
    done = _run(there, sys.executable, *command, TEST_DATABASE_URL=OWNER_URL, DJANGO_SETTINGS_MODULE="config.settings")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_field_is_added_end_to_end(patched: Path) -> None:
    _python(patched, "-m", "ruff", "check", ".")
    document = json.loads(_python(patched, "-c", MIGRATED_AND_DOCUMENTED))
    assert "priority" in document["components"]["schemas"]["Task"]["required"]
    live = "not gunicorn and not uvicorn and not granian"
    passed = _python(patched, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", live, *CONCERNED)
    assert " passed" in passed
    assert " skipped" not in passed
