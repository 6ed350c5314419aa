"""The README is true: its table is the code's, and its tour is taken, answers included."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from config.environment import Environment
from tests.client import Live
from tests.live import ROOT

README = (ROOT / "README.md").read_text()
TOUR = README.partition("## A tour in curl")[2].partition("\n## Environment")[0]
STEPS = re.findall(r"```sh\n(.*?)```(?:\n\n```json\n(.*?)```)?", TOUR, re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory:
        return "see there"
    text = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    return "" if text in {"", "None"} else f"`{text.lower() if isinstance(field.default, bool) else text}`"


def test_table_of_variables_is_the_codes() -> None:
    fields = Environment.model_fields.items()
    rows = [f"| `{name.upper()}` | {_default(field)} | {field.description} |" for name, field in fields]
    expected = "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]).replace("|  |", "| |")
    assert expected in README, f"the table should be:\n{expected}"


def _comparable(answer: str) -> object:
    return json.loads(TIME.sub("TIME", UUID.sub("UUID", answer)))


@pytest.mark.django_db(databases=["default", "operator"])
def test_tour_gives_the_answers_it_shows(gunicorn: Live, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    assert len(STEPS) >= 15
    shell, created = _Shell(tmp_path / "variables"), None
    for script, shown in STEPS:
        ours = script.replace(".venv/bin/python", sys.executable).replace("http://127.0.0.1:8000", gunicorn.base_url)
        answer = shell.run(re.sub(r"^ID=.*$", f"ID={created}", ours, flags=re.MULTILINE))
        if shown:
            assert _comparable(answer) == _comparable(shown), script
            created = json.loads(answer).get("id", created)


class _Shell:
    """Runs scripts one after the other and keeps their variables, as a terminal does."""

    def __init__(self, variables: Path) -> None:
        self._variables = variables
        variables.touch()

    def run(self, script: str) -> str:
        remember = f"declare -p BASE TOKEN ID 2>/dev/null | sed 's/^declare -x/export/' > {self._variables}"
        script = f"set -a; . {self._variables}\n{script}\n{remember}"
        return subprocess.run(["bash", "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout
