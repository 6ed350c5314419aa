"""What is true of every command of ours."""

import re
import subprocess

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests import live
from tests.live import ROOT

OURS = {name: str(app) for name, app in get_commands().items() if app in {"config", "tasks", "authjwt"}}
LISTED = re.findall(r"^\| `([a-z_]+)[^`]*` \| .+ \|$", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE)


def test_every_command_is_listed_once() -> None:
    assert sorted(LISTED) == sorted(OURS)


@pytest.mark.parametrize("name", sorted(OURS))
def test_help_says_what_a_command_does_and_what_its_arguments_are(name: str) -> None:
    command = load_command_class(OURS[name], name)
    assert len(command.help) > 20
    theirs = BaseCommand().create_parser("manage.py", name)._option_string_actions
    for action in command.create_parser("manage.py", name)._actions:
        if not set(action.option_strings) & set(theirs):
            assert action.help, action


@pytest.mark.parametrize("name", sorted(OURS))
def test_listed_options_are_those_of_the_command(name: str) -> None:
    line = next(line for line in (ROOT / "docs" / "commands.md").read_text().splitlines() if f"| `{name}" in line)
    command = load_command_class(OURS[name], name)
    theirs = command.__class__.__bases__[-1]().create_parser("manage.py", name)._option_string_actions
    actual = command.create_parser("manage.py", name)._option_string_actions
    own = {option for option in set(actual) - set(theirs) if option.startswith("--")}
    assert set(re.findall(r"--[a-z-]+", line.split("` |")[0])) == own


@pytest.mark.parametrize("name", ["migrate", "createsuperuser", "changepassword"])
def test_help_of_djangos_own_names_the_connection(name: str) -> None:
    assert "default: operator" in load_command_class(OURS[name], name).create_parser("manage.py", name).format_help()


@pytest.mark.parametrize("command", ["migrate", "check --database default", "showmigrations", "changepassword ada"])
def test_database_that_is_away_is_said_in_a_line(command: str) -> None:
    away = "postgresql://tasks:hunter2@127.0.0.1:1/tasks"
    urls = {"DATABASE_URL": away, "DATABASE_URL_UNPOOLED": away}
    failed = live.python("manage.py", *command.split(), env=urls)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("The database: connection failed: ")
    assert "Traceback" not in failed.stderr
    assert "hunter2" not in failed.stderr
    assert "Traceback" in live.python("manage.py", *command.split(), "--traceback", env=urls).stderr


def test_package_without_mutations_is_told_which_have_some() -> None:
    refused = subprocess.run([ROOT / "tests/mutation/run", "config"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    packages = sorted(path.stem for path in (ROOT / "tests/mutation").glob("*.toml"))
    assert refused.stderr == f"no mutations of config: {' or '.join(packages)}\n"
