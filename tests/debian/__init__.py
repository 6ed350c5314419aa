"""Programs of Debian that tests start, from PATH or unpacked into `packages/` by the script `install`."""

import shutil
from pathlib import Path

from tests import missing

UNPACKED = Path(__file__).parent / "packages" / "bin"


def program(name: str) -> Path:
    """Return the path of `name`; the calling test is skipped where it is missing, or fails if CI is set.

    There are `pgbouncer` (as Debian 12 has it: 1.18), `pgbouncer-1.24` (with prepared statements, as Neon's),
    `redis-server`, `nginx-1.26`, `chromium` and `chromedriver`.
    """
    path = shutil.which(name) or shutil.which(name, path=str(UNPACKED))
    if path is None:
        missing.give_up(f"{name} is not installed: run tests/debian/install")
    return Path(path)
