"""`manage.py export_user SUB`: a user's tasks as a file."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.management.base import CommandError, CommandParser

from tasks.export import Form, export, stream
from tasks.management.operators import OperatorCommand, progress, user_id
from tasks.models import Row, Task


class Command(OperatorCommand):
    help = (
        "Write all tasks of a user, newest first, as JSON, CSV or iCalendar, to standard output or a new file. "
        "A user without tasks has an export, too: an empty one, with a note on standard error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sub", type=user_id, metavar="SUB", help="the user id")
        parser.add_argument("--format", choices=[*map(str, Form)], default="json", help="default: %(default)s")
        parser.add_argument("--output", type=Path, metavar="FILE", help="a new file, for the eyes of its owner only")

    def handle(self, *, sub: str, output: Path | None, **options: Any) -> None:  # noqa: ANN401 (Django's)
        form = Form(options["format"])
        rows = _Counted(progress(stream(Task.objects.using("operator").owned_by(sub))))
        if output:
            _write_file(output, export(rows, form))
        else:
            self._write(export(rows, form))
        if not rows.count:
            self.stderr.write(f"There are no tasks of {sub}.")

    def _write(self, chunks: Iterable[bytes]) -> None:
        binary = cast("BinaryIO", self.stdout.buffer)  # exact bytes, whatever the encoding of the terminal
        try:
            binary.writelines(chunks)
            binary.flush()
        except BrokenPipeError:  # the reader, head for one, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise CommandError("The reader went away before the end.") from None


class _Counted:
    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _write_file(path: Path, chunks: Iterable[bytes]) -> None:
    try:
        file = open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115 (Path.open has no opener; closed below)
    except OSError as exc:
        raise CommandError(f"{path} cannot be written: {exc.strerror}") from None
    try:
        with file:
            file.writelines(chunks)
    except BaseException:
        with suppress(OSError):
            path.unlink()  # half an export looks like a whole one
        raise
