"""ARCHITECTURE.md is true: its modules are the code's, its picture is drawn from them, its way is what is called."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import architecture, live
from tests.client import Live, User
from tests.live import ROOT

PAGE = architecture.PAGE.read_text()
MOST_LINES = 150

# Notes, for each connection that is let in, which of our functions are called, each where it is first.
SPY = """
import os, sys, threading
from gunicorn.workers.gthread import ThreadWorker

root, seen, notes = os.environ["SPY_ROOT"] + "/", set(), os.open(os.environ["SPY_NOTES"], os.O_WRONLY | os.O_APPEND)
ours = tuple(f"{root}{package}/" for package in ("config", "tasks", "authjwt"))
init_process = ThreadWorker.init_process

def look(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(ours):
        name = f"{code.co_filename[len(root):]}:{code.co_qualname}"
        if name.endswith(":Worker._let_in"):
            seen.clear()
        if name not in seen:
            seen.add(name)
            os.write(notes, f"{name}\\n".encode())

def watched(worker):
    threading.setprofile(look)
    sys.setprofile(look)
    init_process(worker)

ThreadWorker.init_process = watched
"""


@pytest.fixture
def called(django_db_setup: None, tmp_path: Path) -> list[str]:  # noqa: ARG001 (the server needs the test database)
    """The functions that gunicorn calls to answer the request of the page, in order."""
    (tmp_path / "sitecustomize.py").write_text(SPY)
    notes = tmp_path / "notes"
    notes.touch()
    spy = {"PYTHONPATH": str(tmp_path), "SPY_ROOT": str(ROOT), "SPY_NOTES": str(notes)}
    with live.serve("gunicorn", spy | {"WEB_CONCURRENCY": "1", "RATE_LIMIT": "600/minute"}) as base_url:
        with closing(Live("gunicorn", base_url)) as client:
            task = User(client, "alice-on-her-way").task()
        with closing(Live("gunicorn", base_url)) as client:
            answer = User(client, "alice-on-her-way").patch(f"/tasks/{task['id']}", {"completed": True})
            assert answer.status == 200
    whole = notes.read_text().splitlines()
    begin = len(whole) - whole[::-1].index("config/worker.py:Worker._let_in") - 1
    return [re.sub(r"\.<locals>.*", "", name) for name in whole[begin:]]


@pytest.mark.skipif(live.MEASURED, reason="coverage is in the profiler's way")
@pytest.mark.django_db(databases=["default", "operator"])
def test_way_is_what_is_called(called: list[str]) -> None:
    named = [function for step in architecture.steps() for function in step.functions]
    rest = iter(called)
    for function in named[: named.index("config/errors.py:to_response")]:
        assert function in rest, f"{function} is not called after the one before it"


def test_picture_is_drawn_from_the_code() -> None:
    assert architecture.PICTURE.read_text() == architecture.draw(), "run `make architecture`"


@pytest.mark.parametrize("package", architecture.PACKAGES)
def test_each_module_is_named_once(package: str) -> None:
    section = PAGE.partition(f"### `{package}`: ")[2].partition("\n##")[0]
    entries = re.split(r" ·\s|^\* ", section, flags=re.MULTILINE)
    named = Counter(name for entry in entries for name in re.findall(r"`([\w.]+)`", entry.partition(":")[0]))
    assert named == Counter(_modules(package))


def _modules(package: str) -> Iterator[str]:
    """By their names below the package; what Django finds by itself (commands, migrations, formats) as one."""
    for path in sorted((ROOT / package).rglob("*.py")):
        *folders, name = path.relative_to(ROOT / package).with_suffix("").parts
        if name == "__init__" and len(folders) == 1:
            yield folders[0]
        elif name not in {"__init__", "__main__"} and not {"management", "migrations", "formats"} & set(folders):
            yield ".".join([*folders, name])


def test_functions_that_are_named_exist() -> None:
    named = set(re.findall(r"`(\S+\.py):([\w.]+)`", PAGE))
    assert len(named) > 30
    assert [f"{file}:{name}" for file, name in named if name not in _defined(ROOT / file)] == []


def _defined(file: Path) -> set[str]:
    """The functions, classes, methods and constants of a module, by their names in it."""
    if not file.is_file():
        return set()
    return set(_names(ast.parse(file.read_text()).body))


def _names(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            yield f"{within}{one.name}"
        if isinstance(one, ast.ClassDef):
            yield from _names(one.body, f"{one.name}.")
        if isinstance(one, ast.Assign | ast.AnnAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            yield from (f"{within}{target.id}" for target in targets if isinstance(target, ast.Name))


def test_page_is_one_page() -> None:
    assert PAGE.count("\n") <= MOST_LINES


def test_decisions_are_numbered_and_have_one_form() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for number, page in enumerate(pages, start=1):
        title, *sections = re.findall(r"^##? (.*)", page.read_text(), re.MULTILINE)
        assert page.name.startswith(f"{number:04}-")
        assert title.startswith(f"{number}. ")
        assert sections == ["Context", "Options", "Decision", "Consequences"]
