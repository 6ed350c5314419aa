"""`manage.py explain_token TOKEN`: why a token is accepted or refused."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from authjwt.jws import UnverifiedToken, parse
from authjwt.keys import KeysUnavailable
from authjwt.refusal import InvalidToken
from authjwt.rules import Rules
from authjwt.security import current_verifier
from authjwt.verifier import Finding

_TIMES: Final = ("iat", "nbf", "exp")
_SHOWN: Final = ("alg", "typ", "kid", "iss", "aud", "sub", *_TIMES)
_ADVICE: Final = {
    "not_a_jwt": "This looks like a session token (set-auth-token). Call GET /api/auth/token of Better Auth, signed "
    "in, and send the token of that answer.",
    "session_cookie": "Call GET /api/auth/token of Better Auth, signed in, and send the token of that answer.",
    "expired": "Get a new token before each burst of requests; those of Better Auth live for 15 minutes.",
    "algorithm": "HS256 needs BETTER_AUTH_SECRET on this service; the others need BETTER_AUTH_URL.",
    "bad_signature": "In secret mode: is BETTER_AUTH_SECRET the same on both sides, byte for byte? Otherwise: was the "
    "token changed or cut on its way?",
    "unknown_key": "Does BETTER_AUTH_URL point to the Better Auth that signed this token? See manage.py check_auth.",
    "issuer": "The issuer is the origin of Better Auth's base URL. Set BETTER_AUTH_URL or BETTER_AUTH_ISSUER to it.",
    "audience": "The audience is the origin of Better Auth's base URL, unless its JWT plugin says otherwise. Set "
    "BETTER_AUTH_URL or BETTER_AUTH_AUDIENCE to it.",
    "subject": "The user id must be a string in the claim sub.",
    "lives_too_long": "Sign tokens with an earlier exp.",
}


class Command(BaseCommand):
    """Makes the checks of a request, one by one and aloud."""

    help = "Say, check by check, why a token is accepted (exit 0) or refused (exit 1)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("token", help="the token; - reads it from standard input")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 (Django's signature)
        """Print the explanation."""
        unverified_token = (
            sys.stdin.read()
            if options["token"] == "-"  # noqa: S105 (standard input, no password)
            else options["token"]
        ).strip()
        notes = []
        if unverified_token[:7].lower() == "bearer ":
            notes = ['Note: "Bearer " is the scheme of the header, no part of the token; left out.']
            unverified_token = unverified_token[7:].strip()
        if not unverified_token:
            raise CommandError("The token is empty.", returncode=2)
        verifier = current_verifier()
        findings = list(verifier.explain(unverified_token))
        if options["json"]:
            self.stdout.write(json.dumps(_report(findings)))
        else:
            self._print([*notes, *_facts(unverified_token, verifier.rules)], findings)
        _conclude(findings[-1].problem)

    def _print(self, facts: list[str], findings: list[Finding]) -> None:
        for line in facts:
            self.stdout.write(line)
        for rule, problem in findings:
            if problem is None:
                self.stdout.write(self.style.SUCCESS("  ok    ") + rule)
            else:
                refused = isinstance(problem, InvalidToken)
                mark = self.style.ERROR("  FAIL  ") if refused else self.style.WARNING("  ?     ")
                self.stdout.write(f"{mark}{rule}: {problem}")
        closing = _advice(problem) if problem else "The token is accepted."
        if closing:
            self.stdout.write(closing)


def _advice(problem: InvalidToken | KeysUnavailable | None) -> str | None:
    return _ADVICE.get(problem.reason) if isinstance(problem, InvalidToken) else None


def _report(findings: list[Finding]) -> dict[str, Any]:
    problem = findings[-1].problem
    return {
        "accepted": None if isinstance(problem, KeysUnavailable) else problem is None,
        "reason": problem.reason if isinstance(problem, InvalidToken) else None,
        "advice": _advice(problem),
        "checks": [{"rule": rule, "problem": str(problem) if problem else None} for rule, problem in findings],
    }


def _conclude(problem: InvalidToken | KeysUnavailable | None) -> None:
    """Raise CommandError, which makes the exit code 1, unless the token is accepted."""
    if isinstance(problem, KeysUnavailable):
        raise CommandError(
            "It cannot be known: the keys are out of reach (a request would get 503). See manage.py check_auth."
        )
    if problem is not None:
        raise CommandError(f"The token is refused (401): {problem}")


def _facts(unverified_token: str, rules: Rules) -> Iterator[str]:
    try:
        token = parse(unverified_token)
    except InvalidToken:
        return
    yield "The token says:"
    yield from _claims(token)
    yield "This service expects:"
    yield f"  alg   {' or '.join(sorted(rules.algorithms))}"
    yield f"  iss   {' or '.join(sorted(rules.issuers)) or 'anything'}"
    yield f"  aud   {' or '.join(sorted(rules.audiences)) or 'anything'}"


def _claims(token: UnverifiedToken) -> Iterator[str]:
    stated = {**token.claims, **token.header}
    for name in _SHOWN:
        if name in stated:
            yield f"  {name:<5} {json.dumps(stated[name])}{_moment(stated[name]) if name in _TIMES else ''}"


def _moment(value: object) -> str:
    try:
        return f"  {datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"  # type: ignore[arg-type] # see except
    except (TypeError, ValueError, OverflowError, OSError):
        return "  no time"
