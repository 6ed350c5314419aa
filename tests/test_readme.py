"""The README is true: its commands are typed, its answers compared, its table and its picture are the code's."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from pydantic.fields import FieldInfo

from config.environment import Environment
from config.wsgi import application
from tests import tour
from tests.client import Live
from tests.live import ROOT
from tests.tokens import token
from tests.tour import FIRST

README = (ROOT / "README.md").read_text()
PICTURE = README.partition("```mermaid\n")[2].partition("```")[0]
TOUR = (ROOT / "docs" / "tour.md").read_text()
NOT_CLONED = shutil.ignore_patterns(".git", ".venv*", ".postgres", ".env", "node_modules", "packages*", "__pycache__")

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


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


def test_every_block_is_typed_or_compared() -> None:
    """Commands, what they print, and the picture: there is no other kind of block."""
    assert set(re.findall(r"^```(\S*)", README, re.MULTILINE)) == {"sh", "text", "json", "mermaid", ""}
    assert README.count("```") == FIRST.count("```") + 2
    assert [step.script for page in (FIRST, TOUR) for step in tour.steps(page) if not step.shown] == [
        tour.steps(TOUR)[0].script  # sets variables
    ]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What is here, committed or not, as a repository to clone."""
    here = tmp_path / "here"
    shutil.copytree(ROOT, here, ignore=NOT_CLONED)
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "All of it"]):
        subprocess.run(["git", *command], cwd=here, check=True)
    return here


def _lend_packages(clone: Path) -> None:
    """Let a clone use the packages that are installed here, as if it had installed them."""
    (clone / ".venv").mkdir()
    for entry in ("bin", "lib", "pyvenv.cfg"):
        (clone / ".venv" / entry).symlink_to(Path(sys.prefix) / entry)
    (clone / ".venv" / "runtime").touch()


@contextmanager
def _running(command: str, folder: Path, env: Mapping[str, str]) -> Iterator[list[str]]:
    """What a command prints first while it serves; Ctrl-C ends it."""
    with subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        try:
            yield [process.stdout.readline() for _ in range(3)]
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


@needs_curl
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_first_five_minutes_go_as_shown(repository: Path, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "REPOSITORY": str(repository)}
    start, *others = tour.steps(FIRST)
    clone, run = start.script.splitlines()
    with tour.Shell(tmp_path, env) as shell:
        shell.run(clone)
        _lend_packages(tmp_path / "tasks-api")
        with _running(run, tmp_path / "tasks-api", env | {"PORT": "0", "WEB_CONCURRENCY": "1"}) as printed:
            assert tour.alike("".join(printed)) == tour.alike(start.shown)
            base_url = printed[0].split()[-1]
            for step in others:
                answer = shell.run(step.script.replace("http://127.0.0.1:8000", base_url))
                assert tour.alike(answer) == tour.alike(step.shown), step.script
        assert shell.run(f"curl -s {base_url}/livez || echo gone") == "gone\n"


def test_recording_shows_what_is_typed_and_what_comes_back() -> None:
    svg = (ROOT / "docs" / "images" / "first-five-minutes.svg").read_text()
    root = ET.fromstring(svg)  # noqa: S314 (ours)
    shown = "".join("".join(text.itertext()) for text in root.iterfind(".//{*}text"))
    for step in tour.steps(FIRST):
        for expected in (*step.script.splitlines(), step.shown):
            assert _without_blanks(expected) in _without_blanks(shown)
    assert re.findall(r"<script|href|url\(|@import|/root|/tmp|/home", svg) == []
    assert "prefers-reduced-motion" in svg


def _without_blanks(text: str) -> str:
    """For what is wrapped somewhere."""
    return tour.masked("".join(text.split()))


@needs_curl
@pytest.mark.django_db(databases=["default", "operator"])
def test_tour_gives_the_answers_it_shows(gunicorn: Live) -> None:
    with tour.Shell(ROOT, os.environ) as shell:
        for step in tour.steps(TOUR):
            script = step.script.replace(".venv/bin/python", sys.executable)
            answer = shell.run(script.replace("http://127.0.0.1:8000", gunicorn.base_url))
            assert tour.alike(answer) == tour.alike(step.shown), step.script


@pytest.mark.django_db(databases=["default", "operator"])
def test_picture_shows_the_way_of_a_request() -> None:
    """The modules it names are entered in its order when a task is created."""
    drawn = re.findall(r'--> \w+\["([\w.]+)<br>', PICTURE)
    called = _modules_entered_by_a_post()
    assert len(drawn) > 5
    first = [next((n for n, name in enumerate(called) if f"{name}.".startswith(f"{step}.")), -1) for step in drawn]
    assert -1 not in first
    assert first == sorted(first), called


def _modules_entered_by_a_post() -> list[str]:
    """Our modules, in the order in which a POST to /tasks first calls something of theirs."""
    body = b'{"text": "Buy groceries"}'
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/tasks",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": f"Bearer {token('ada')}",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    entered: dict[str, None] = {}

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            entered.setdefault(frame.f_globals.get("__name__", ""))

    said: list[str] = []
    sys.setprofile(note)
    try:
        b"".join(application(environ, lambda status, _: said.append(status)))
    finally:
        sys.setprofile(None)
    assert said == ["201 Created"]
    return [name for name in entered if name.startswith(("config.", "authjwt.", "tasks."))]
