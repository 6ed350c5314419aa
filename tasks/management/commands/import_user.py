"""`manage.py import_user SUB FILE`: take a user's exported tasks back."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser

from tasks.export import Form
from tasks.importing import Outcome, Refused, import_tasks
from tasks.management.operators import OperatorCommand, progress, user_id
from tasks.parsing import BadFile, read

FORMS = (Form.JSON, Form.CSV)


class Command(OperatorCommand):
    help = (
        "Take back tasks that export_user wrote as JSON or CSV: all of the file, or nothing of it. Tasks that are "
        "there already, by id, become what the file says, so that a second import changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sub", type=user_id, metavar="SUB", help="the user id")
        parser.add_argument("file", type=Path, metavar="FILE", help="the file; - reads standard input")
        parser.add_argument("--format", choices=[*map(str, FORMS)], help="default: by the file's name")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, sub: str, file: Path, dry_run: bool, **options: Any) -> None:  # noqa: ANN401 (Django's)
        form = Form(options["format"]) if options["format"] else _form(file)
        try:
            with _opened(file) as content:
                records = progress(read(content, form))
                outcome = import_tasks(sub, records, dry_run=dry_run)
        except BadFile as exc:
            raise CommandError(f"Nothing was imported: {file}, {exc}.") from None
        except Refused as refused:
            self._print_problems(refused, as_json=options["json"])
            raise CommandError(f"Nothing was imported: {file} has {refused.count} bad lines.") from None
        self._print_outcome(outcome, dry_run=dry_run, as_json=options["json"])

    def _print_outcome(self, outcome: Outcome, *, dry_run: bool, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({**asdict(outcome), "dry_run": dry_run}))
            return
        would = "would be " if dry_run else ""
        counts = ", ".join(f"{count} {would}{name}" for name, count in asdict(outcome).items())
        self.stdout.write(f"{counts}.")

    def _print_problems(self, refused: Refused, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(refused)))
            return
        for problem in refused.problems:
            self.stderr.write(f"line {problem.line}: {problem.why}")
        if refused.count > len(refused.problems):
            self.stderr.write(f"… and {refused.count - len(refused.problems)} more")


def _form(file: Path) -> Form:
    try:
        form = Form(file.suffix.removeprefix(".").lower())
    except ValueError:
        form = None
    if form not in FORMS:
        why = "iCalendar cannot hold all of a task" if form else f"{file} does not say what it is by its name"
        raise CommandError(f"{why}: give --format json or csv, and such a file.", returncode=2)
    return form


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as exc:
        raise CommandError(f"{path} cannot be read: {exc.strerror}") from None
    with file:
        yield file
