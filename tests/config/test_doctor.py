"""`manage.py doctor`, with really broken parts."""

import io
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import dj_database_url
import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

from config import doctor
from config.doctor import CHECKS, Finding, State, database, examine, surroundings
from config.doctor.findings import Check
from config.environment import Environment
from tests import live
from tests.authjwt.configuration import settings_for
from tests.authjwt.forge import issuer_jwks
from tests.authjwt.jwks_server import JWKSServer, behaving, respond
from tests.parts import PostgreSQL, Redis

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

OK, WARN, FAIL, SKIP = State.OK, State.WARN, State.FAIL, State.SKIP
PASSWORD = "hunter2-of-the-doctor"

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Let an alias lead elsewhere."""

    def change(alias: str, **changes: Any) -> None:
        monkeypatch.setitem(connections.settings, alias, connections.settings[alias] | changes)

    return change


@pytest.fixture
def issuer() -> Iterator[JWKSServer]:
    with JWKSServer(issuer_jwks()) as server:
        yield server


@contextmanager
def _listening(*, silent: bool) -> Iterator[int]:
    """A port that takes connections and says nothing, or one that refuses them."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen(8)
        yield listener.getsockname()[1]


def _states(*checks: Any) -> dict[str, State]:
    return {finding.check: finding.state for finding in examine(checks, 10)}


def _one(name: str, *checks: Any) -> Finding:
    return next(finding for finding in examine(checks, 10) if finding.check == name)


# The database


def test_database_as_it_is_passes() -> None:
    states = _states(*database.CHECKS)
    assert set(states.values()) <= {OK, SKIP}
    assert (states["same database"], states["migrations"], states["rights"]) == (OK, OK, OK)


@pytest.mark.parametrize(("alias", "name"), [("default", "api database"), ("operator", "operator database")])
def test_refusing_port_fails_its_connection_alone(connect: Connect, alias: str, name: str) -> None:
    with _listening(silent=False) as port:
        connect(alias, PORT=port, EMBEDDED_ROLE=None)
        states = _states(*database.CHECKS)
    assert states[name] is FAIL
    assert {check: state for check, state in states.items() if state is FAIL} == {name: FAIL}
    assert states["same database"] is SKIP


def test_wrong_password_fails_and_says_so(connect: Connect) -> None:
    connect("default", PASSWORD=PASSWORD, EMBEDDED_ROLE=None)
    finding = _one("api database", *database.CHECKS)
    assert finding.state is FAIL
    assert "password authentication failed" in finding.message
    assert "DATABASE_URL" in finding.advice


def test_another_database_without_tables_is_found_out(connect: Connect) -> None:
    connect("operator", NAME="postgres", EMBEDDED_ROLE=None)
    assert _one("same database", *database.CHECKS).state is FAIL
    migrations = _one("migrations", *database.CHECKS)
    assert migrations.state is FAIL
    assert "contenttypes.0001_initial" in migrations.message
    assert "migrate" in migrations.advice


def test_api_without_tables_is_told_to_migrate(connect: Connect) -> None:
    connect("default", NAME="postgres", EMBEDDED_ROLE=None)
    rights = _one("rights", database.rights)
    assert (rights.state, rights.advice) == (FAIL, "Run manage.py migrate.")


def test_missing_rights_are_named(connect: Connect) -> None:
    role = f"doctor_{uuid.uuid4().hex}"
    with psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"], autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        try:
            owner.execute(f"GRANT SELECT, INSERT ON tasks_task TO {role}")
            connect("default", USER=role, PASSWORD=PASSWORD, EMBEDDED_ROLE=None)
            rights = _one("rights", database.rights)
        finally:
            owner.execute(f"REVOKE ALL ON tasks_task FROM {role}")
            owner.execute(f"DROP ROLE {role}")
    assert rights.state is FAIL
    assert "UPDATE, DELETE" in rights.message
    assert rights.advice == f"Run manage.py migrate, which grants what {role} lacks."


@pytest.mark.parametrize(("sslmode", "state"), [("prefer", FAIL), ("disable", WARN)])
def test_pooler_and_plain_text_are_found_out(connect: Connect, sslmode: str, state: State) -> None:
    options = {"hostaddr": "127.0.0.1", "sslmode": sslmode}
    connect("operator", HOST="ep-a-b-123-pooler.example.com", OPTIONS=options, EMBEDDED_ROLE=None)
    states = _states(database.operator_database)
    assert (states["operator database: direct"], states["operator database: TLS"]) == (WARN, state)


def test_old_and_distant_databases_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "FAR_MS", 0)
    assert _one("api database", database.api_database).state is WARN
    monkeypatch.setattr(database, "OLDEST_VERSION", 1000)
    assert _one("api database", database.api_database).state is FAIL


def test_replica_is_found_out(connect: Connect) -> None:
    with PostgreSQL() as replica:
        (replica.home / "data" / "standby.signal").touch()
        replica.restart()
        for alias in ("default", "operator"):
            connect(alias, EMBEDDED_ROLE=None, **dj_database_url.parse(replica.url))
        finding = _one("same database", database.same_database)
    assert (finding.state, finding.message) == (FAIL, "it is a read-only replica")


def test_role_that_is_not_bound_is_found_out(connect: Connect) -> None:
    at = connections.settings["operator"]
    connect("default", USER=at["USER"], PASSWORD=at["PASSWORD"], EMBEDDED_ROLE=None)
    finding = _one("row-level security", database.row_security)
    assert (finding.state, finding.message.partition(": ")[2]) == (WARN, "it owns tasks_task")


@pytest.mark.parametrize(("ahead", "state"), [(0, OK), (5, WARN), (-5, WARN), (60, FAIL), (-60, FAIL)])
def test_clock_of_this_machine_is_compared(monkeypatch: pytest.MonkeyPatch, ahead: float, state: State) -> None:
    clock = SimpleNamespace(time=lambda: time.time() + ahead, perf_counter=time.perf_counter)
    monkeypatch.setattr(database, "time", clock)
    assert _one("api database: clock", database.api_database).state is state


# Keys


def test_signing_keys_are_named(issuer: JWKSServer) -> None:
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url)):
        finding = _one("signing keys", surroundings.signing_keys)
    assert finding.state is OK
    assert "key-EdDSA (EdDSA)" in finding.message


@pytest.mark.parametrize(
    ("behaviour", "state"),
    [(respond("503 Service Unavailable"), FAIL), (respond(body=b"<html>"), FAIL), (respond(body=b'{"keys":[]}'), WARN)],
    ids=["503", "html", "empty"],
)
def test_bad_signing_keys_are_found_out(issuer: JWKSServer, behaviour: Any, state: State) -> None:
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url)), behaving(issuer, behaviour):
        finding = _one("signing keys", surroundings.signing_keys)
    assert finding.state is state
    assert "check_auth" in finding.advice


@pytest.mark.parametrize(("ahead", "state"), [(0, OK), (6, WARN), (-6, WARN), (600, FAIL), (-600, FAIL)])
def test_clock_of_the_auth_server_is_compared(issuer: JWKSServer, ahead: int, state: State) -> None:
    behaviour = respond(Date=formatdate(time.time() + ahead, usegmt=True))
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url)), behaving(issuer, behaviour):
        assert _one("auth server: clock", surroundings.signing_keys).state is state


def test_answer_from_a_cache_does_not_look_like_a_slow_clock(issuer: JWKSServer) -> None:
    behaviour = respond(Date=formatdate(time.time() - 300, usegmt=True), Age="300")
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url)), behaving(issuer, behaviour):
        assert _one("auth server: clock", surroundings.signing_keys).state is OK


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Foo 2026 00:00:00 GMT"])
def test_auth_server_without_a_clock_is_fine(issuer: JWKSServer, date: str) -> None:
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url)), behaving(issuer, respond(Date=date)):
        assert _states(surroundings.signing_keys) == {"signing keys": OK}


@pytest.mark.parametrize(
    ("conf", "check", "state"),
    [
        ({}, surroundings.tokens, FAIL),
        (settings_for("secret", ""), surroundings.tokens, OK),
        (settings_for("secret", ""), surroundings.signing_keys, SKIP),
    ],
    ids=["no source", "a secret", "no JWKS"],
)
def test_source_of_keys_is_looked_at(conf: dict[str, Any], check: Check, state: State) -> None:
    with override_settings(AUTHJWT=conf):
        assert set(_states(check).values()) == {state}


# The rest


def test_redis_that_answers_is_fine() -> None:
    with Redis() as server, override_settings(RATE_LIMIT="600/minute", REDIS_URL=server.url):
        assert _states(surroundings.redis) == {"redis": OK}


def test_workers_without_redis_are_worth_a_warning() -> None:
    several = settings.ENVIRONMENT.model_copy(update={"web_concurrency": 2})
    with override_settings(RATE_LIMIT="600/minute", REDIS_URL=None, ENVIRONMENT=several):
        finding = _one("redis", surroundings.redis)
    assert (finding.state, finding.message) == (WARN, "without it each of 2 processes counts for itself")


def test_missing_files_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "STATIC_FILES", ("no/such.css",))
    assert _one("static files", surroundings.static_files).message == "missing: no/such.css"


def test_advice_is_below_its_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(doctor, "CHECKS", [lambda: [Finding("it", WARN, "is odd", "Change it.")]])
    call_command("doctor", no_color=True, stdout=out)
    assert out.getvalue() == "warn  it: is odd\n      Change it.\n"


@pytest.mark.parametrize("silent", [True, False])
def test_redis_that_is_away_fails_in_time(silent: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    monkeypatch.setattr(surroundings, "PATIENCE", 0.1)
    with (
        _listening(silent=silent) as port,
        override_settings(RATE_LIMIT="600/minute", REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:{port}/0"),
    ):
        assert _states(surroundings.redis) == {"redis": FAIL}


@override_settings(STATICFILES_DIRS=[], CORS_ALLOWED_ORIGINS=[])
def test_no_front_end_is_worth_a_warning() -> None:
    assert _states(surroundings.origins) == {"origins": WARN}


def test_check_that_hangs_or_breaks_leaves_the_others_alone() -> None:
    never = threading.Event()

    def hanging() -> Iterator[Finding]:
        yield Finding("first", OK, "")
        never.wait(20)
        yield Finding("last", OK, "")

    def broken() -> Iterator[Finding]:
        raise RuntimeError("boom")

    def good() -> Iterator[Finding]:
        yield Finding("good", OK, "")

    started = time.monotonic()
    findings = examine([hanging, broken, good], 0.2)
    assert time.monotonic() - started < 1
    never.set()
    assert [(finding.check, finding.state) for finding in findings] == [
        ("first", OK), ("hanging", FAIL), ("broken", FAIL), ("good", OK),
    ]  # fmt: skip


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_what_a_driver_blurts_out_stays_secret(
    form: list[str], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("default", PASSWORD=PASSWORD)

    def indiscreet() -> Iterator[Finding]:
        raise ValueError(f"invalid connection option {PASSWORD}")

    out = io.StringIO()
    monkeypatch.setattr(doctor, "CHECKS", [indiscreet])
    with pytest.raises(CommandError, match="1 of 1 checks failed"):
        call_command("doctor", *form, stdout=out)
    assert "invalid connection option ***" in out.getvalue()
    assert PASSWORD not in out.getvalue()


def _doctor(**env: str) -> tuple[int, dict[str, Any], str]:
    """The report, and everything that was printed."""
    blank = {name.upper(): "" for name in Environment.model_fields}
    production = {"ALLOWED_HOSTS": "api.example.com", "CORS_ORIGINS": "https://app.example.com", "WEB_CONCURRENCY": "1"}
    done = live.python("manage.py", "doctor", "--json", env={**blank, **production, **env})
    return done.returncode, json.loads(done.stdout), done.stdout + done.stderr


def test_doctor_finds_nothing_in_a_good_deployment(issuer: JWKSServer) -> None:
    status, report, printed = _doctor(
        **live.database_urls(),
        SECRET_KEY="a-key-of-the-doctor-0123456789-abcdefghijklmnopqrstuvwxyz",
        BETTER_AUTH_URL="https://app.example.com",
        BETTER_AUTH_JWKS_URL=issuer.url,
    )
    assert {finding["state"] for finding in report["findings"]} <= {"ok", "skip"}, printed
    assert (status, report["ok"]) == (0, True)
    assert len(report["findings"]) >= len(CHECKS)


def test_doctor_names_all_that_is_broken_in_time_and_shows_no_secret() -> None:
    started = time.monotonic()
    with _listening(silent=True) as silent, _listening(silent=False) as closed:
        status, report, printed = _doctor(
            DATABASE_URL=f"postgresql://tasks:{PASSWORD}@127.0.0.1:{closed}/tasks",
            DATABASE_URL_UNPOOLED=f"postgresql://owner:{PASSWORD}@127.0.0.1:{silent}/tasks",
            SECRET_KEY="weak-key-of-the-doctor",
            BETTER_AUTH_SECRET="hunter2-too-short",
            BETTER_AUTH_URL=f"http://127.0.0.1:{silent}",
            BETTER_AUTH_JWT_MODE="both",
            REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:{closed}/0",
            RATE_LIMIT="600/minute",
            CORS_ORIGINS="http://app.example.com",
        )
    assert time.monotonic() - started < 15
    states = {finding["check"]: finding["state"] for finding in report["findings"]}
    for name in ("api database", "operator database", "signing keys", "redis", "settings: authjwt.E005"):
        assert states[name] == "fail", printed
    assert "timeout" in next(finding["message"] for finding in report["findings"] if "operator" in finding["check"])
    for name in ("settings: security.W009", "settings: config.W001"):
        assert states[name] == "warn", printed
    for secret in (PASSWORD, "weak-key-of-the-doctor", "hunter2-too-short"):
        assert secret not in printed
    assert (status, report["ok"]) == (1, False)
    assert "Traceback" not in printed
