"""docs/front-end.md: its code is the example's, and its messages are what comes of the mistakes."""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from psycopg.sql import SQL, Identifier
from pytest_django import Settings

from authjwt.conf import from_environment
from config import environment
from tests.authjwt import forge
from tests.authjwt.configuration import settings_for
from tests.authjwt.corpus import Mode
from tests.authjwt.jwks_server import JWKSServer
from tests.client import Answer, InProcess, User
from tests.environment import API_URL, OWNER_URL
from tests.live import ROOT

PAGE = (ROOT / "docs" / "front-end.md").read_text()
CODE = re.findall(r"^```ts ?(\S*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ANSWERS, COMMANDS, _CONSOLE = (
    re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)
    for table in PAGE.partition("## Troubleshooting")[2].split("|---|---|---|")[1:]
)
BOTH_SOURCES, SHORT_SECRET, SLASH_OF_AN_ORIGIN, OPTIONS_FOR_THE_POOLER, NOT_THE_OWNER = COMMANDS
QUARTER = 15 * 60


@pytest.mark.parametrize(("path", "code"), CODE, ids=[f"{path}: {code.partition('(')[0]}" for path, code in CODE])
def test_code_is_the_examples(path: str, code: str) -> None:
    assert code in (ROOT / path).read_text()


class Developer:
    """Somebody who tries things on a service in one of the modes."""

    def __init__(self, settings: Settings, jwks: JWKSServer) -> None:
        self._settings = settings
        self._jwks = jwks

    def in_mode(self, mode: Mode, jwks_url: str = "") -> "Developer":
        self._settings.AUTHJWT = settings_for(mode, jwks_url or self._jwks.url)
        return self

    def send(self, header: str) -> Answer:
        return InProcess().send("GET", "/tasks", b"", {"Authorization": header} if header else {})

    def send_token(self, algorithm: str = "EdDSA", **claims: object) -> Answer:
        return self.send(f"Bearer {forge.token(algorithm, payload=claims)}")


@pytest.fixture(scope="module")
def jwks() -> Iterator[JWKSServer]:
    with JWKSServer(forge.issuer_jwks()) as server:
        yield server


@pytest.fixture
def developer(settings: Settings, jwks: JWKSServer) -> Developer:
    return Developer(settings, jwks).in_mode("jwks")


def _where_nobody_listens(developer: Developer) -> Answer:
    return developer.in_mode("jwks", "http://127.0.0.1:9/jwks").send_token()


def _with_another_secret(developer: Developer) -> Answer:
    def sign(signing_input: bytes) -> bytes:
        return forge.hs256(signing_input, forge.OLD_SECRET)

    token = forge.assemble(forge.header("HS256"), forge.claims("HS256"), sign)
    return developer.in_mode("secret").send(f"Bearer {token}")


def _now() -> int:
    return int(time.time())


def _each(mistakes: Sequence[Callable[..., Answer]], messages: list[str]) -> pytest.MarkDecorator:
    """Every row of a table, in its order, with what makes it true."""
    return pytest.mark.parametrize(("message", "mistake"), list(zip(messages, mistakes, strict=True)), ids=messages)


TOKEN_MISTAKES: list[Callable[[Developer], Answer]] = [
    lambda developer: developer.send(""),
    lambda developer: developer.send(f"Bearer {'s' * 32}.{forge.base64url(bytes(32))}="),
    lambda developer: developer.in_mode("secret").send_token("EdDSA"),
    _with_another_secret,
    lambda developer: developer.send_token(iss="http://localhost:3001"),
    lambda developer: developer.send_token(aud="https://api.example.com"),
    lambda developer: developer.send_token(iat=_now() - 2 * QUARTER, exp=_now() - QUARTER),
    lambda developer: developer.send_token(iat=_now() + 20, exp=_now() + QUARTER + 20),
    _where_nobody_listens,
]


@_each(TOKEN_MISTAKES, ANSWERS[: len(TOKEN_MISTAKES)])
def test_message_about_a_token(developer: Developer, message: str, mistake: Callable[[Developer], Answer]) -> None:
    assert mistake(developer).json["message"] == message


def test_hs256_in_jwks_mode_is_the_same_mistake(developer: Developer) -> None:
    assert developer.send_token("HS256").json["message"] == ANSWERS[2]


REQUEST_MISTAKES: list[Callable[[User], Answer]] = [
    lambda user: user.get("/tasks/"),
    lambda user: user.post("/tasks", {"text": "a", "isCompleted": True}),
    lambda user: user.get("/tasks?createdAtGte=2026-11-20T00:00:00Z"),
    lambda user: user.post("/tasks", content=b'{"text": "a"}', headers={"Content-Type": "text/plain;charset=UTF-8"}),
    lambda user: user.patch(f"/tasks/{user.task()['id']}", {"text": "b"}, headers={"If-Match": "9b2cf3e1a0d84c57"}),
]


@_each(REQUEST_MISTAKES, ANSWERS[len(TOKEN_MISTAKES) :])
def test_message_about_a_request(alice: User, message: str, mistake: Callable[[User], Answer]) -> None:
    said = mistake(alice).json
    assert said.get("details", [said["message"]])[0] == message


@pytest.mark.parametrize(
    ("message", "variables"),
    [
        (BOTH_SOURCES, {"better_auth_secret": forge.SECRET, "better_auth_url": forge.ISSUER}),
        (SHORT_SECRET, {"better_auth_secret": "correct-horse"}),
    ],
)
def test_message_about_the_settings(settings: Settings, message: str, variables: dict[str, Any]) -> None:
    settings.AUTHJWT = from_environment(**variables)
    with pytest.raises(SystemCheckError, match=re.escape(f") {message}\n")):
        call_command("check")


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (SLASH_OF_AN_ORIGIN, "https://app.example.com/"),
        (
            OPTIONS_FOR_THE_POOLER,
            "postgresql://a:b@ep-a-pooler.eu-central-1.aws.neon.tech/tasks?options=-c%20search_path%3Dtasks",
        ),
    ],
)
def test_message_about_a_variable(monkeypatch: pytest.MonkeyPatch, message: str, value: str) -> None:
    monkeypatch.setenv(message.partition(":")[0], value)
    with pytest.raises(SystemExit, match=re.escape(f"\n  {message}")):
        environment.read()


@pytest.mark.django_db
def test_message_about_migrations_without_the_owner(django_db_setup: None) -> None:  # noqa: ARG001 (makes the API's role)
    name = f"front_end_{secrets.token_hex(4)}"
    urls = {"DATABASE_URL": API_URL.rpartition("/")[0] + f"/{name}", "DATABASE_URL_UNPOOLED": ""}
    with psycopg.connect(OWNER_URL, autocommit=True) as server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            migrate = [sys.executable, "manage.py", "migrate"]
            done = subprocess.run(migrate, cwd=ROOT, env=os.environ | urls, capture_output=True, text=True, check=False)
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
    assert done.stderr.strip() == f"CommandError: {NOT_THE_OWNER}"
