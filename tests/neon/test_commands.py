"""Operators' commands work where the API's role may see nothing of theirs."""

from tests.neon.conftest import Database


def test_operator_gets_an_account_and_a_password(database: Database) -> None:
    named = ("--username", "operator", "--email", "operator@example.com")
    made = database.manage("createsuperuser", "--noinput", *named)
    assert made.returncode == 0, made.stderr
    changed = database.manage("changepassword", "operator", typed="a-long-password-of-theirs\n" * 2)
    assert "Password changed successfully for user 'operator'" in changed.stdout, changed.stderr
