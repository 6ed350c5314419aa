"""SECURITY.md: what it calls a proof is a test, and what no other test looks at."""

import ast
import re
from pathlib import Path

import pytest

from tests.live import ROOT

ROWS = re.findall(r"^\| (?!who |---).*", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
LOCKS = sorted(ROOT.glob("**/requirements*.lock"))


def _proofs(row: str) -> list[tuple[str, str]]:
    """Names and files of the tests that a row of the threat model refers to."""
    proof = row.rstrip(" |").rpartition(" | ")[2]
    return [(f"test_{name.replace(' ', '_')}", file) for name, file in re.findall(r"\[([\w ]+)\]\(([\w/.]+)\)", proof)]


def test_every_threat_has_proofs_that_exist() -> None:
    assert len(ROWS) > 35
    assert [row for row in ROWS if not _proofs(row)] == []
    named = {proof for row in ROWS for proof in _proofs(row)}
    files = {file: ast.parse((ROOT / file).read_text()).body for _, file in named}
    there = {(node.name, file) for file, body in files.items() for node in body if isinstance(node, ast.FunctionDef)}
    assert named - there == set()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_dependencies_are_pinned_by_their_hashes(lock: Path) -> None:
    pinned = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE).strip())
    assert len(pinned) > 20
    assert [
        one for one in pinned if not re.fullmatch(r"\S+==\S+.*?(?:\\\n    --hash=sha256:[0-9a-f]{64} ?)+", one)
    ] == []


def test_installing_requires_the_hashes() -> None:
    recipes = [(ROOT / name).read_text() for name in ("Makefile", "Dockerfile")]
    installing = [line for recipe in recipes for line in re.findall(r".*\bpip\b.*\binstall\b.*", recipe)]
    assert len(installing) == 4
    assert [line for line in installing if "--require-hashes" not in line or ".lock" not in line] == []
