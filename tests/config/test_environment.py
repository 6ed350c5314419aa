"""The environment: typed, named in its errors, and documented as it is."""

import re
import secrets
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from config import __version__, dotenv, environment
from config.checks import check_means
from config.environment import Environment
from tests import live
from tests.live import ROOT

NAMES = [name.upper() for name in Environment.model_fields]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:s3cr3t@host/db"),
        ("DATABASE_URL_UNPOOLED", "s3cr3t"),
        ("BETTER_AUTH_JWT_MODE", "s3cr3t"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "http://localhost:3000/"),
        ("SECRET_KEY", ""),
        ("DEBUG", "s3cr3t"),
        ("CORS_ORIGINS", "http://[x"),
        ("CORS_ORIGINS", "https://a.example:99999"),
        ("CORS_ORIGINS", "https://A.example"),
        ("CORS_ORIGINS", "https://a.example:443"),
        ("ALLOWED_HOSTS", "https://api.example.com"),
        ("REDIS_URL", "s3cr3t"),
        ("REDIS_URL", "redis://s3cr3t:port"),
        ("TRUSTED_PROXY_HOPS", "-1"),
        ("TRUSTED_PROXY_HOPS", "all"),
        ("METRICS_PORT", "0"),
        ("METRICS_PORT", "8000"),  # PORT's default
        ("REDIS_URL", "redis://:s3cr3t@host:port"),
        ("REDIS_URL", "redis://host:6379/s3cr3t"),
        ("REDIS_URL", "redis://host:6379/0?s3cr3t=1"),
        ("REDIS_URL", "rediss://host:6379/0?ssl_cert_reqs=s3cr3t"),
        ("RATE_LIMIT", "many"),
        ("RATE_LIMIT", "0/minute"),
        ("RATE_LIMIT", "600/0 minutes"),
        ("RATE_LIMIT", "600/fortnight"),
        ("RATE_LIMIT", "600/minute; 5/second"),  # one that would not be counted
        ("MAX_BODY_BYTES", "64k"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("PORT", "http"),
        ("PORT", "65536"),
        ("WEB_CONCURRENCY", "0"),
    ],
)
def test_bad_value_is_refused_by_the_name_of_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as refused:
        environment.read()
    assert f"  {name}: " in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_older_names_of_the_urls_are_taken_where_both_newer_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    older = "postgresql://older@host/tasks"
    monkeypatch.setenv("POSTGRES_URL", older)
    assert environment.read().database_url != older
    for name in ("DATABASE_URL", "DATABASE_URL_UNPOOLED"):
        monkeypatch.setenv(name, "")
    assert (environment.read().database_url, environment.read().database_url_unpooled) == (older, None)


@pytest.mark.parametrize(
    "bad",
    [
        {"PORT": "s3cr3t", "DATABASE_URL": "s3cr3t"},
        {"BETTER_AUTH_SECRET": "s3cr3t"},
        {"BETTER_AUTH_SECRETS": "s3cr3t"},
        {"BETTER_AUTH_URL": "s3cr3t"},
    ],
    ids=" ".join,
)
def test_bad_values_stop_the_process_and_are_named(bad: dict[str, str]) -> None:
    done = live.python("manage.py", "check", env=bad)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert all(name in done.stderr for name in bad)
    assert "s3cr3t" not in done.stderr + done.stdout


def test_both_a_secret_and_a_url_need_a_mode() -> None:
    both = {"BETTER_AUTH_URL": "https://auth.example.com"}
    refused = live.python("manage.py", "check", env=both)
    assert refused.returncode != 0
    assert "BETTER_AUTH_JWT_MODE" in refused.stderr
    assert live.python("manage.py", "check", env=both | {"BETTER_AUTH_JWT_MODE": "both"}).returncode == 0


@pytest.mark.parametrize("server", ["config.wsgi", "config.asgi"])
def test_server_does_not_start_without_a_source_of_keys(server: str) -> None:
    done = live.python("-c", f"import {server}", env={"BETTER_AUTH_SECRET": ""})
    assert done.returncode != 0
    assert "BETTER_AUTH_SECRET" in done.stderr


def _example() -> dict[str, str]:
    lines = re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    return dict(lines)


def test_example_has_every_variable_once_with_its_default() -> None:
    example = _example()
    assert list(example) == NAMES
    for name, value in example.items():
        default = Environment.model_fields[name.lower()].default
        if isinstance(default, tuple):
            default = ",".join(default)
        if value and name != "LOG_FORMAT":
            assert value == str(default).replace("False", "false")


def test_example_describes_every_variable_in_the_codes_words() -> None:
    text = (ROOT / ".env.example").read_text()
    for field in Environment.model_fields.values():
        assert f"# {field.description}\n" in text


def test_first_run_writes_random_secrets_for_the_owner_only(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert dotenv.write(ROOT / ".env.example", first, {})
    assert dotenv.write(ROOT / ".env.example", second, {})
    assert first.stat().st_mode & 0o777 == 0o600
    found = re.findall(
        r"^(?:SECRET_KEY|BETTER_AUTH_SECRET)=(.+)$", first.read_text() + second.read_text(), re.MULTILINE
    )
    assert len(set(found)) == 4
    assert all(len(secret) >= 50 for secret in found)


def test_first_run_is_a_command(tmp_path: Path) -> None:
    assert live.python("-m", "config.dotenv", str(tmp_path / ".env")).returncode == 0
    assert "\nSECRET_KEY=" in (tmp_path / ".env").read_text()


def test_first_run_never_overwrites(tmp_path: Path) -> None:
    target = tmp_path / ".env"
    target.write_text("mine")
    assert not dotenv.write(ROOT / ".env.example", target, {})
    assert target.read_text() == "mine"


def test_first_run_adds_no_secret_beside_another_source_of_keys(tmp_path: Path) -> None:
    dotenv.write(ROOT / ".env.example", tmp_path / ".env", {"BETTER_AUTH_URL": "http://localhost:3000"})
    assert "\nBETTER_AUTH_SECRET=\n" in (tmp_path / ".env").read_text()


def _check_deployment(**changed: str) -> subprocess.CompletedProcess[str]:
    """Check production.env.example, with a key of its own and with what is changed."""
    lines = [line for line in (ROOT / "production.env.example").read_text().splitlines() if not line.startswith("#")]
    env = dict.fromkeys(NAMES, "") | {"RATE_LIMIT": "600/minute"} | dict(line.split("=", 1) for line in lines)
    env["SECRET_KEY"] = changed.pop("SECRET_KEY", secrets.token_urlsafe(48)) or env["SECRET_KEY"]
    return live.python("manage.py", "check", "--deploy", "--fail-level", "WARNING", env=env | changed)


def test_production_example_passes_the_deployment_checks() -> None:
    done = _check_deployment()
    assert done.returncode == 0, done.stderr


def test_production_example_opens_no_second_port() -> None:
    assert "\nMETRICS_PORT=" not in (ROOT / "production.env.example").read_text()


PLACEHOLDER = "ChangeMe-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGH"


@pytest.mark.parametrize(
    "wrong",
    [
        {
            "DATABASE_URL": ("", "config.E001"),
            "ALLOWED_HOSTS": ("", "config.E002"),
            "SECRET_KEY": ("", "config.E003"),  # that of the example
            "CORS_ORIGINS": ("", "config.W001"),
            "BETTER_AUTH_URL": ("", "authjwt.E001"),
        },
        {
            "ALLOWED_HOSTS": ("api.example.com,*", "config.E004"),
            "SECRET_KEY": (PLACEHOLDER, "config.E003"),
            "CORS_ORIGINS": ("https://app.example.com,http://app.example.com", "config.W001"),
            "BETTER_AUTH_URL": ("http://auth.example.com", "authjwt.E010"),
            "REDIS_URL": ("", "config.W002"),
        },
        {
            "ALLOWED_HOSTS": ("localhost,[::1]", "config.E002"),
            "SECRET_KEY": ("short", "security.W009"),
            "BETTER_AUTH_JWT_MODE": ("secret", "authjwt.E004"),
        },
        {"DEBUG": ("true", "security.W018")},
    ],
    ids=["missing", "careless", "odd", "debug"],
)
def test_wrong_production_settings_are_named_with_hints(wrong: dict[str, tuple[str, str]]) -> None:
    done = _check_deployment(**{name: value for name, (value, _) in wrong.items()})
    assert done.returncode != 0
    for name, (_, identifier) in wrong.items():
        assert f"({identifier})" in done.stderr
        assert name in done.stderr


@pytest.mark.parametrize(
    ("workers", "changed", "warned"),
    [
        pytest.param(4, {}, True, id="several workers, each with counters of its own"),
        pytest.param(1, {}, False, id="one worker"),
        pytest.param(4, {"RATE_LIMIT": ""}, False, id="no limit"),
        pytest.param(4, {"REDIS_URL": "redis://127.0.0.1:6379/0"}, False, id="shared counters"),
    ],
)
def test_workers_that_share_no_counters_are_a_warning_with_a_hint(
    workers: int,
    changed: dict[str, str],
    warned: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    several = {"ENVIRONMENT": settings.ENVIRONMENT.model_copy(update={"web_concurrency": workers}), "REDIS_URL": None}
    with override_settings(**several | {"RATE_LIMIT": "600/minute"} | changed):
        found = [message for message in check_means() if message.id == "config.W002"]
    assert len(found) == warned
    assert all("Set REDIS_URL" in str(message.hint) for message in found)


def test_version_is_the_projects() -> None:
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
