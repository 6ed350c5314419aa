"""Tasks as a file: JSON, CSV or iCalendar, written as they are read, so that any number of them fits in little memory.

JSON and CSV hold all of a task and are read back by `tasks.importing`; iCalendar is for calendar programs.
"""

import csv
import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan

from tasks.models import WIRE_FIELDS, Row, TaskQuerySet
from tasks.schemas import task_json, timestamp

BATCH = 500  # tasks read by one statement, and in memory for as long as a reader takes for them
CHUNK = 200  # tasks written at once

Answer = TypeVar("Answer")


class Form(StrEnum):
    """A form that tasks can be exported in. The value is the file's extension, too."""

    JSON = "json"
    CSV = "csv"
    ICS = "ics"

    @property
    def media_type(self) -> str:
        return {
            Form.JSON: "application/json",
            Form.CSV: "text/csv; charset=utf-8; header=present",
            Form.ICS: "text/calendar; charset=utf-8",
        }[self]


def export(rows: Iterable[Row], form: Form) -> Iterator[bytes]:
    """Write `rows` in a form, in UTF-8: what comes back, put together, is the file. No rows make a valid file, too."""
    pieces = _WRITERS[form](rows)
    while chunk := b"".join(islice(pieces, CHUNK)):
        yield chunk


class Ask(Protocol):
    """Have a question answered by the database, which may be asked it again. Raises what the database does."""

    def __call__(self, question: Callable[[], Answer], /) -> Answer: ...


def directly(question: Callable[[], Answer]) -> Answer:
    """Ask as things are: once, and as whoever the connection stands for."""
    return question()


def stream(queryset: TaskQuerySet, ask: Ask = directly) -> Iterator[Row]:
    """Read the queryset's tasks, newest first, a batch by each statement: a pooler keeps no cursor between statements.

    The first batch is read now, so that who cannot read at all knows before anything is sent; the others come later,
    whenever and in whatever thread they are wanted. The batches are no snapshot. But a task's place never changes, so
    each that is there all the while comes once.
    """
    return _go_on(queryset, ask, ask(partial(_batch, queryset)))


def _go_on(queryset: TaskQuerySet, ask: Ask, batch: list[Row]) -> Iterator[Row]:
    yield from batch
    while len(batch) == BATCH:
        last = Tuple("created_at", "id"), (batch[-1]["created_at"], batch[-1]["id"])
        batch = ask(partial(_batch, queryset.filter(TupleLessThan(*last))))
        yield from batch


def _batch(queryset: TaskQuerySet) -> list[Row]:
    return list(queryset.newest_first().rows()[:BATCH])


# JSON: the shape of the API's list. One task a line, for people with line-based tools, and for errors by line.


def _json(rows: Iterable[Row]) -> Iterator[bytes]:
    separator = b'{"tasks": [\n'
    for row in rows:
        yield separator + task_json(row)
        separator = b",\n"
    yield b'{"tasks": []}\n' if separator.startswith(b"{") else b"\n]}\n"


# CSV as RFC 4180 has it. Spreadsheets take a cell that starts with one of these for a formula, which could send what
# is beside it anywhere; an apostrophe before it makes it text. One is added also where some are there already, so that
# taking one away gives back the text exactly.

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # noqa: RUF001 (spreadsheets in Asia take the wide ones, too)


class _Echo:
    @staticmethod
    def write(record: str) -> str:
        return record


def _csv(rows: Iterable[Row]) -> Iterator[bytes]:
    writer = csv.writer(_Echo())
    yield writer.writerow(WIRE_FIELDS).encode()
    for row in rows:
        yield writer.writerow(_cell(row[name]) for name in WIRE_FIELDS).encode()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return timestamp(value)
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return "" if value is None else str(value)


def unguarded(cell: str) -> str:
    """Give the text of a cell that `export` wrote: without the apostrophe that keeps it from being a formula."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


# iCalendar (RFC 5545): a to-do (VTODO) for each task.

_LINE_OCTETS = 75  # section 3.1
_ESCAPES = {ord(character): f"\\{character}" for character in "\\;,"} | {ord("\n"): "\\n"}  # section 3.3.11
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # controls other than tab and newline have no place in a line


def _ics(rows: Iterable[Row]) -> Iterator[bytes]:
    yield _lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tasks API//Export//EN")
    for row in rows:
        yield _todo(row)
    yield _lines("END:VCALENDAR")


def _todo(row: Row) -> bytes:
    return _lines(
        "BEGIN:VTODO",
        f"UID:{row['id']}",
        f"DTSTAMP:{_instant(row['updated_at'])}",  # without a METHOD, it is the time of the last change
        f"CREATED:{_instant(row['created_at'])}",
        f"LAST-MODIFIED:{_instant(row['updated_at'])}",
        f"SUMMARY:{_escaped(row['text'])}",
        *_state(row),
        f"X-APPLE-SORT-ORDER:{row['order']}",  # the one name for it that several programs know
        "END:VTODO",
    )


def _state(row: Row) -> tuple[str, ...]:
    if not row["completed"]:
        return ("STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:0")
    return ("STATUS:COMPLETED", f"COMPLETED:{_instant(row['completed_at'])}", "PERCENT-COMPLETE:100")


def _instant(value: dt.datetime) -> str:
    return re.sub("[-:]", "", value.astimezone(dt.UTC).isoformat(timespec="seconds").removesuffix("+00:00")) + "Z"


def _escaped(text: str) -> str:
    """Other controls become U+FFFD: iCalendar cannot hold them, and dropping them would hide that they were there."""
    lines = re.sub("\r\n?", "\n", text)
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", lines).translate(_ESCAPES)


def _lines(*lines: str) -> bytes:
    return b"".join(_folded(line.encode()) for line in lines)


def _folded(octets: bytes) -> bytes:
    """Break a line into lines of at most 75 octets, between characters; the ones that go on start with a space."""
    parts, start, width = [], 0, _LINE_OCTETS
    while len(octets) - start > width:
        end = start + width
        while octets[end] & 0xC0 == 0x80:  # noqa: PLR2004 (the second or a later octet of a character in UTF-8)
            end -= 1
        parts.append(octets[start:end])
        start, width = end, _LINE_OCTETS - 1
    return b"\r\n ".join([*parts, octets[start:]]) + b"\r\n"


_WRITERS: dict[Form, Callable[[Iterable[Row]], Iterator[bytes]]] = {Form.JSON: _json, Form.CSV: _csv, Form.ICS: _ics}
