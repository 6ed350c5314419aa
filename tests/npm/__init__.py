"""The JavaScript that tests run: packages pinned in `package-lock.json`, installed by `npm ci --prefix tests/npm`."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.missing import give_up

HERE = Path(__file__).parent
OLDEST_NODE = 20


def node() -> str:
    """Return the path of a Node with the packages installed; the calling test is skipped where they are missing.

    Under continuous integration (the variable CI is set) it fails instead: there, a skipped test would go unnoticed.
    """
    found, missing = _find_node()
    if missing:
        give_up(missing)
    return found


def tool(name: str) -> str:
    """Return the path of a package's command, such as `redocly`; skips or fails like `node()`."""
    node()
    return str(HERE / "node_modules" / ".bin" / name)


@cache
def _find_node() -> tuple[str, str]:
    """Return Node's path, and what is missing if anything is."""
    path = shutil.which("node")
    if path is None:
        return "", f"Node.js {OLDEST_NODE} or newer is not installed"
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return "", f"Node.js {OLDEST_NODE} or newer is needed, {path} is {version}"
    # npm writes this file last, so that an interrupted installation is not taken for a finished one.
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        return "", "the packages of tests/npm are not installed: run `npm ci --prefix tests/npm`"
    return path, ""
