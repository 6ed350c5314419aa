"""Write `.env` for local work, once: `python -m config.dotenv .env` copies `.env.example`, with random secrets."""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
OTHER_KEY_SOURCES = ("BETTER_AUTH_URL", "BETTER_AUTH_JWKS_URL", "BETTER_AUTH_SECRETS")


def write(example: Path, target: Path, environ: Mapping[str, str]) -> bool:
    """Write `target`, readable by its owner only, unless it is there. Returns whether it was written."""
    filled = {"SECRET_KEY="}
    if not any(environ.get(name) for name in OTHER_KEY_SOURCES):
        filled.add("BETTER_AUTH_SECRET=")
    lines = [
        f"{line}{secrets.token_urlsafe(48)}" if line in filled else line for line in example.read_text().splitlines()
    ]
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
    return True


if __name__ == "__main__":
    write(BASE_DIR / ".env.example", Path(sys.argv[1]), os.environ)
