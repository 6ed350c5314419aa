"""Operators' commands work where the API's role may see nothing of theirs."""

import os
import subprocess
import sys

from tests.live import ROOT
from tests.neon.conftest import Database


def _manage(database: Database, *command: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `manage.py` without a terminal: what is typed comes from a pipe."""
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database.api_url, "DATABASE_URL_UNPOOLED": database.owner_url},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def test_operator_gets_an_account_and_a_password(database: Database) -> None:
    named = ("--username", "operator", "--email", "operator@example.com")
    made = _manage(database, "createsuperuser", "--noinput", *named)
    assert made.returncode == 0, made.stderr
    changed = _manage(database, "changepassword", "operator", typed="a-long-password-of-theirs\n" * 2)
    assert "Password changed successfully for user 'operator'" in changed.stdout, changed.stderr
