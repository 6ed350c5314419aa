"""`manage.py check_auth`: whether tokens can be verified here, and with what."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from authjwt.conf import AuthSettings
from authjwt.fetch import FetchFailed, fetch
from authjwt.jwk import parse_key_set


class Command(BaseCommand):
    """Looks at the sources of keys once, from outside of the running service."""

    help = "Fetch the JWKS once and report its keys, algorithms and age, and how many secrets there are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 (Django's signature)
        """Print the report; exit code 1 if something is missing."""
        conf = AuthSettings.load()
        problems: list[str] = []
        report: dict[str, Any] = {"mode": conf.effective_mode, "problems": problems}
        if conf.effective_mode is None:
            problems.append("the mode is not clear: see manage.py check")
        if conf.uses_secrets:
            report["secret_bytes"] = [len(secret.encode()) for secret in conf.secrets]
            if not conf.secrets:
                problems.append("there is no secret")
        if conf.uses_jwks:
            report["jwks"] = _jwks(conf, problems)
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self._print(report)
        if problems:
            raise CommandError("; ".join(problems))

    def _print(self, report: dict[str, Any]) -> None:
        self.stdout.write(f"mode     {report['mode']}")
        for place, size in enumerate(report.get("secret_bytes", ()), start=1):
            self.stdout.write(f"secret   {place}: {size} bytes{', signs' if place == 1 else ''}")
        if "jwks" not in report:
            return
        jwks = report["jwks"]
        self.stdout.write(f"jwks     {jwks['url']}")
        if "keys" not in jwks:
            return
        self.stdout.write(f"answer   200 in {jwks['milliseconds']} ms, {jwks['bytes']} bytes, {jwks['age']} s old")
        for key in jwks["keys"]:
            self.stdout.write(f"key      {json.dumps(key['kid'])}: {' or '.join(key['algorithms'])}")
        for key in jwks["skipped"]:
            self.stdout.write(f"skipped  {json.dumps(key['kid'])}: {key['why']}")


def _jwks(conf: AuthSettings, problems: list[str]) -> dict[str, Any]:
    jwks: dict[str, Any] = {"url": conf.jwks_url}
    try:
        document = fetch(str(conf.jwks_url))
        key_set = parse_key_set(document.body, conf.algorithms)
    except FetchFailed as exc:
        problems.append(f"the JWKS cannot be fetched: {exc}")
        jwks["status"] = exc.status
    except ValueError as exc:
        problems.append(f"the answer is no JWK Set: {exc}")
        jwks["status"] = 200
    else:
        jwks |= {
            "status": 200,
            "milliseconds": round(document.seconds * 1000),
            "bytes": len(document.body),
            "age": document.age,
            "keys": [{"kid": key.kid, "algorithms": sorted(key.algorithms)} for key in key_set.keys],
            "skipped": [{"kid": key.kid, "why": key.why} for key in key_set.skipped],
        }
        if not key_set.keys:
            problems.append("the JWKS has no usable key")
    return jwks
