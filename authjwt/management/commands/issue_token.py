"""`manage.py issue_token SUB`: a token to try the API with."""

import time
from argparse import ArgumentParser
from typing import Any

import jwt
from django.core.management.base import BaseCommand, CommandError

from authjwt.conf import AuthSettings
from authjwt.keys import SECRET_ALGORITHM, hmac_key
from authjwt.refusal import InvalidToken
from authjwt.security import current_verifier


class Command(BaseCommand):
    """Signs with the first secret what the verifier of this very service accepts."""

    help = "Print one HS256 token for a user id, and nothing else. Secret mode only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("sub", help="the user id")
        parser.add_argument("--email", help="claim email")
        parser.add_argument("--name", help="claim name")
        parser.add_argument("--expires-in", type=int, default=3600, metavar="SECONDS", help="default: %(default)s")

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 (Django's signature)
        """Print the token."""
        conf = AuthSettings.load()
        if conf.effective_mode != "secret":
            msg = (
                f"issue_token works in secret mode only; the mode is {conf.effective_mode or 'not clear'}. "
                "Where tokens come from Better Auth, get one from its /api/auth/token."
            )
            raise CommandError(msg)
        if not 1 <= options["expires_in"] <= conf.max_lifetime:
            raise CommandError(f"--expires-in must be from 1 to {conf.max_lifetime} seconds", returncode=2)
        self.stdout.write(_issue(conf, options))


def _issue(conf: AuthSettings, options: dict[str, Any]) -> str:
    now = int(time.time())
    claims = {
        "sub": options["sub"],
        "email": options["email"],
        "name": options["name"],
        "iat": now,
        "exp": now + options["expires_in"],
        "iss": next(iter(conf.issuers), None),
        "aud": next(iter(conf.audiences), None),
    }
    stated = {claim: value for claim, value in claims.items() if value is not None}
    token = jwt.encode(stated, hmac_key(conf.secrets[0]), algorithm=SECRET_ALGORITHM)
    try:
        current_verifier().verify(token)
    except InvalidToken as exc:
        raise CommandError(f"such a token would be refused: {exc.description}", returncode=2) from None
    return token
