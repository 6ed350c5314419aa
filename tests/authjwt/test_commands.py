"""issue_token, explain_token, check_auth."""

import io
import json
import sys
from contextlib import suppress
from typing import Any

import jwt
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from authjwt.conf import from_environment
from authjwt.security import current_verifier
from tests.authjwt.configuration import settings_for
from tests.authjwt.corpus import CASES
from tests.authjwt.forge import ISSUER, OLD_SECRET, SECRET, issuer_jwks, issuer_key, token
from tests.authjwt.jwks_server import JWKSServer, behaving, hang_up, respond

SECRET_MODE = from_environment(better_auth_secret=SECRET)
JWKS_URL = "http://127.0.0.1:1/jwks"


def run(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, no_color=True, **options)
    return out.getvalue()


def run_failing(*arguments: str, returncode: int = 1) -> tuple[str, str]:
    """Run a command that must fail; returns its output and its message."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(*arguments, stdout=out, no_color=True)
    assert caught.value.returncode == returncode
    return out.getvalue(), str(caught.value)


# issue_token


@override_settings(AUTHJWT=SECRET_MODE)
def test_issue_token_prints_an_accepted_token_and_nothing_else() -> None:
    printed = run("issue_token", "alice")
    assert printed.count("\n") == 1
    assert current_verifier().verify(printed.strip()).subject == "alice"


@override_settings(AUTHJWT=SECRET_MODE)
def test_issue_token_states_what_it_is_told() -> None:
    printed = run("issue_token", "alice", "--email", "a@example.com", "--name", "Alice", "--expires-in", "60")
    claims = jwt.decode(printed.strip(), SECRET, algorithms=["HS256"])
    assert claims.pop("exp") - claims.pop("iat") == 60
    assert claims == {"sub": "alice", "email": "a@example.com", "name": "Alice"}


@override_settings(
    AUTHJWT=from_environment(better_auth_secret=SECRET, better_auth_issuer=("i",), better_auth_audience=("a",))
)
def test_issue_token_states_configured_issuer_and_audience() -> None:
    claims = jwt.decode(run("issue_token", "alice").strip(), SECRET, algorithms=["HS256"], audience="a")
    assert (claims["iss"], claims["aud"]) == ("i", "a")


@override_settings(AUTHJWT=from_environment(better_auth_secrets=f"2:{SECRET},1:{OLD_SECRET}"))
def test_issue_token_signs_with_the_first_secret() -> None:
    assert jwt.decode(run("issue_token", "alice").strip(), SECRET, algorithms=["HS256"])["sub"] == "alice"


@pytest.mark.parametrize("mode", ["jwks", "both"])
def test_issue_token_refuses_outside_secret_mode(mode: Any) -> None:
    with override_settings(AUTHJWT=settings_for(mode, JWKS_URL)):
        printed, message = run_failing("issue_token", "alice")
    assert printed == ""
    assert f"the mode is {mode}" in message


@pytest.mark.parametrize("sub", ["", " ", "a" * 256, "a\nb", "a\0b", "\ud800"])
@override_settings(AUTHJWT=SECRET_MODE)
def test_issue_token_refuses_a_user_id_that_would_be_refused(sub: str) -> None:
    assert run_failing("issue_token", sub, returncode=2)[0] == ""


@pytest.mark.parametrize("seconds", ["0", "-1", "604801", "99999999999999999999"])
@override_settings(AUTHJWT=SECRET_MODE)
def test_issue_token_bounds_the_life(seconds: str) -> None:
    assert "604800" in run_failing("issue_token", "alice", "--expires-in", seconds, returncode=2)[1]


@override_settings(AUTHJWT=SECRET_MODE)
def test_issue_token_for_the_longest_life_is_accepted() -> None:
    assert current_verifier().verify(run("issue_token", "alice", "--expires-in", "604800").strip())


# explain_token


@override_settings(AUTHJWT=SECRET_MODE)
def test_explain_token_accepts_a_good_token() -> None:
    printed = run("explain_token", token("HS256"))
    assert "FAIL" not in printed
    assert printed.endswith("The token is accepted.\n")
    assert '"alice"' in printed


EXPLAINED = {
    "HS256-exp-long-past": ("it has not expired (exp)", "the token has expired"),
    "HS256-sub-missing": ("it names a user (sub)", "sub"),
    "secret-other": ("its signature is that of the issuer", "BETTER_AUTH_SECRET"),
    "good-EdDSA": ("its algorithm (alg) is accepted here", "BETTER_AUTH_URL"),
    "opaque-session-token": ("it is a signed JWT", "/api/auth/token"),
    "HS256-session-cookie": ("it is not meant for another purpose", "/api/auth/token"),
    "HS256-exp-in-10-years": ("it does not live too long (exp - iat)", "earlier exp"),
}


@pytest.mark.parametrize(("id_", "rule", "hint"), [(id_, *words) for id_, words in EXPLAINED.items()])
@override_settings(AUTHJWT=SECRET_MODE)
def test_explain_token_names_the_check_that_failed(id_: str, rule: str, hint: str) -> None:
    (case,) = (case for case in CASES if case.id == id_)
    printed, message = run_failing("explain_token", case.build().partition(" ")[2])
    (failed,) = (line for line in printed.splitlines() if "FAIL" in line)
    assert failed.startswith(f"  FAIL  {rule}: ")
    assert hint in printed
    assert "refused (401)" in message


def test_explain_token_agrees_with_the_verifier_on_the_whole_corpus(issuer: JWKSServer) -> None:
    with override_settings(AUTHJWT=settings_for("both", issuer.url)):
        for case in CASES:
            scheme, _, unverified_token = case.build().partition(" ")
            if scheme.lower() == "bearer" and unverified_token.strip() and " " not in unverified_token:
                problem = [*current_verifier().explain(unverified_token)][-1].problem
                assert (problem is None) == ("both" in case.accepted), case.id


@override_settings(AUTHJWT=SECRET_MODE)
def test_explain_token_forgives_the_scheme() -> None:
    assert "no part of the token" in run("explain_token", f"Bearer {token('HS256')}")


@override_settings(AUTHJWT=SECRET_MODE)
def test_explain_token_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{token('HS256')}\n"))
    assert "accepted" in run("explain_token", "-")


@pytest.mark.parametrize("sent", ["", " "])
@override_settings(AUTHJWT=SECRET_MODE)
def test_explain_token_asks_for_one(sent: str) -> None:
    assert run_failing("explain_token", sent, returncode=2) == ("", "The token is empty.")


@pytest.mark.parametrize("payload", [{"exp": "soon"}, {"exp": 1e300}, {"sub": "\x1b[31m"}, {"iss": ["\u202e"]}])
@override_settings(AUTHJWT=SECRET_MODE)
def test_explain_token_shows_what_it_cannot_read(payload: dict[str, Any]) -> None:
    out = io.StringIO()
    with suppress(CommandError):
        call_command("explain_token", token("HS256", payload=payload), stdout=out, no_color=True)
    assert out.getvalue().isascii()
    assert "\x1b" not in out.getvalue()


@override_settings(AUTHJWT=settings_for("jwks", JWKS_URL))
def test_explain_token_says_when_it_cannot_know() -> None:
    printed, message = run_failing("explain_token", token("EdDSA"))
    assert "FAIL" not in printed
    assert "503" in message


def test_explain_token_says_what_is_expected(issuer: JWKSServer) -> None:
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url)):
        printed, _ = run_failing("explain_token", token("EdDSA", payload={"aud": "https://other.example"}))
    assert "https://other.example" in printed
    assert f"aud   {ISSUER}" in printed
    assert "BETTER_AUTH_AUDIENCE" in printed


@override_settings(AUTHJWT=SECRET_MODE)
def test_explain_token_reports_as_json() -> None:
    good = json.loads(run("explain_token", token("HS256"), "--json"))
    assert (good["accepted"], good["reason"], good["advice"]) == (True, None, None)
    assert all(check["problem"] is None for check in good["checks"])
    bad = json.loads(run_failing("explain_token", token("HS256", payload={"exp": 1}), "--json")[0])
    assert (bad["accepted"], bad["reason"]) == (False, "expired")
    assert bad["checks"][-1]["problem"] == "the token has expired"
    assert "new token" in bad["advice"]


@override_settings(AUTHJWT=settings_for("jwks", JWKS_URL))
def test_explain_token_reports_as_json_that_it_cannot_know() -> None:
    assert json.loads(run_failing("explain_token", token("EdDSA"), "--json")[0])["accepted"] is None


# check_auth


def test_check_auth_reports_keys_and_algorithms(issuer: JWKSServer) -> None:
    issuer.publish(*issuer_jwks()["keys"], issuer_key("ES256").jwk(use="enc"))
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url)):
        printed = run("check_auth")
    assert '"key-EdDSA": EdDSA' in printed
    assert 'skipped  "key-ES256": its use is not signatures' in printed
    assert issuer.url in printed
    assert issuer.hits == 1


def test_check_auth_reports_as_json(issuer: JWKSServer) -> None:
    issuer.publish(*issuer_jwks()["keys"], issuer_key("EdDSA").jwk(use="enc"))
    with override_settings(AUTHJWT=settings_for("both", issuer.url)), behaving(issuer, respond(Age="17")):
        report = json.loads(run("check_auth", "--json"))
    assert report["problems"] == []
    assert report["secret_bytes"] == [32]
    assert report["jwks"]["keys"][0] == {"kid": "key-EdDSA", "algorithms": ["EdDSA"]}
    assert report["jwks"]["skipped"] == [{"kid": "key-EdDSA", "why": "its use is not signatures"}]
    assert (report["jwks"]["status"], report["jwks"]["age"]) == (200, 17)


@override_settings(AUTHJWT=from_environment(better_auth_secrets=f"2:{SECRET},1:{OLD_SECRET}"))
def test_check_auth_reports_secrets_by_size_only() -> None:
    printed = run("check_auth")
    assert printed.splitlines() == ["mode     secret", "secret   1: 32 bytes, signs", "secret   2: 32 bytes"]


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (respond("429 Too Many Requests"), "HTTP status 429"),
        (respond(body=b"<html>"), "no JWK Set"),
        (respond(body=b'{"keys":[]}'), "no usable key"),
        (hang_up, "cannot be fetched"),
    ],
    ids=["429", "html", "empty", "hang up"],
)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_check_auth_fails_without_keys(issuer: JWKSServer, behaviour: Any, problem: str, form: list[str]) -> None:
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url)), behaving(issuer, behaviour):
        assert problem in run_failing("check_auth", *form)[1]


@pytest.mark.parametrize("conf", [{}, {"MODE": "secret"}], ids=["nothing", "no secret"])
def test_check_auth_fails_without_a_source(conf: dict[str, Any]) -> None:
    with override_settings(AUTHJWT=conf):
        run_failing("check_auth")
