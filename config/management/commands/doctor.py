"""`manage.py doctor`: is everything there that a deployment needs?"""

import json
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from config import doctor
from config.doctor import Finding, State


class Command(BaseCommand):
    help = (
        "Try everything a deployment needs, at once and within 15 seconds, and say what to do about what is missing. "
        "Changes nothing. Exit code 1 if anything fails; warnings alone do not."
    )
    requires_system_checks = ()  # they are among what is examined

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:  # noqa: ANN401 (Django's)
        findings = [_without_secrets(finding) for finding in doctor.examine(doctor.CHECKS, doctor.DEADLINE)]
        failed = sum(finding.state is State.FAIL for finding in findings)
        if options["json"]:
            report = {"ok": not failed, "findings": [asdict(finding) for finding in findings]}
            self.stdout.write(json.dumps(report))
        else:
            for finding in findings:
                self._print(finding)
        if failed:
            raise CommandError(f"{failed} of {len(findings)} checks failed.")

    def _print(self, finding: Finding) -> None:
        style = {State.OK: self.style.SUCCESS, State.WARN: self.style.WARNING, State.FAIL: self.style.ERROR}
        state = style.get(finding.state, str)(f"{finding.state:<5}")
        self.stdout.write(f"{state} {finding.check}: {finding.message}")
        if finding.advice:
            self.stdout.write(f"      {finding.advice}")


def _without_secrets(finding: Finding) -> Finding:
    """Whatever a driver says: what must stay secret is not among it."""
    return replace(finding, message=_redacted(finding.message), advice=_redacted(finding.advice))


def _redacted(text: str) -> str:
    passwords = [database.get("PASSWORD") for database in connections.settings.values()]
    secrets = [settings.SECRET_KEY, urlsplit(settings.REDIS_URL or "").password, *settings.AUTHJWT.get("SECRETS", ())]
    for secret in filter(None, [*passwords, *secrets]):
        text = text.replace(secret, "***")
    return text
