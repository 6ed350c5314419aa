"""What a page tells to type, and what it says comes back."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.live import ROOT

FIRST = (ROOT / "README.md").read_text().partition("## The first five minutes\n")[2].partition("\n## ")[0]
_STEP = re.compile(r"^```sh\n(.*?)^```(?:\n\n```(?:json|text|csv)\n(.*?)^```)?", re.DOTALL | re.MULTILINE)
_DIFFERS = {  # from one time to the next
    "UUID": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "TIME": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "HOST": r"127\.0\.0\.1:\d+",
    "TOKEN": r"eyJ[\w.…-]+",
    r"\1SIGNED": r'("next_since": ?")[^"]+',
}


@dataclass(frozen=True)
class Step:
    """A block of commands, and the block that shows what they print, empty if there is none."""

    script: str
    shown: str


def steps(markdown: str) -> list[Step]:
    """Read the blocks of a page, in its order."""
    return [Step(script, shown) for script, shown in _STEP.findall(markdown)]


def alike(printed: str) -> object:
    """What has to be the same each time: JSON by what it says, other output by its words."""
    same = masked(printed)
    try:
        return json.loads(same)
    except ValueError:
        return same.split()


def masked(printed: str) -> str:
    """The same text whenever it is printed."""
    for name, pattern in _DIFFERS.items():
        printed = re.sub(pattern, name, printed)
    return printed


class Shell:
    """A shell that is told one script after the other, as a terminal is."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(["bash"], cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, script: str) -> str:
        """Return what it prints."""
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.write(f"{script}\nprintf '\\0'\n".encode())
        self._bash.stdin.flush()
        printed = b"".join(iter(lambda: self._bash.stdout.read(1), b"\0"))  # type: ignore[union-attr]  # asserted above
        return printed.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._bash.stdin
        self._bash.stdin.close()
        self._bash.wait()
