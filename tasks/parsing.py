"""Reads exported files piece by piece, of any size: each record with the number of the line it starts on."""

import codecs
import csv
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn

from tasks.export import Form, unguarded
from tasks.models import WIRE_FIELDS

MAX_RECORD: Final = 128 * 1024  # characters; an exported task has a few thousand at most
_READ: Final = 64 * 1024
_BEYOND_NUMBER: Final = 2  # of 1e-7, if the 7 is still to come, 1 is a number, and e- is left
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAY_BE_MISSING: Final = {"user_id"}


class BadFile(Exception):
    """The file cannot be read any further: there is no telling what comes after this line."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")


class Record(NamedTuple):
    """What the file says of one task, unchecked; or why it says nothing."""

    line: int
    values: Any
    problem: str | None = None


def read(file: BinaryIO, form: Form) -> Iterator[Record]:
    """Read what `tasks.export` wrote as JSON or CSV, in UTF-8 with or without a byte order mark. Raises BadFile."""
    return _csv(_lines(file)) if form is Form.CSV else _json(_Document(file))


def _undecodable(start: bytes, line: int) -> NoReturn:
    raise BadFile(line, "is UTF-16, save it as UTF-8" if start.startswith(_UTF_16) else "is not UTF-8") from None


# CSV


def _lines(file: BinaryIO) -> Iterator[str]:
    number, start = 0, b""
    while octets := file.readline(MAX_RECORD):
        number += 1
        start = start or octets
        try:
            line = octets.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            _undecodable(start, number) if len(octets) < MAX_RECORD else _too_long(number)
        if len(octets) == MAX_RECORD and not line.endswith("\n"):
            _too_long(number)
        yield line


def _too_long(line: int) -> NoReturn:
    raise BadFile(line, f"is longer than {MAX_RECORD} bytes, so it is no exported task") from None


def _csv(lines: Iterator[str]) -> Iterator[Record]:
    reader = csv.reader(lines, strict=True)
    line = 1
    try:
        header = next(reader, [])
        _check_header(header)
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) == len(header):
                yield Record(line, {name: _value(name, cell) for name, cell in zip(header, cells, strict=True)})
            elif cells:
                yield Record(line, None, f"has {len(cells)} columns instead of {len(header)}")
            line = reader.line_num + 1
    except csv.Error as exc:
        raise BadFile(line, f"is not CSV: {exc}") from None


def _check_header(header: list[str]) -> None:
    missing = [name for name in WIRE_FIELDS if name not in header and name not in _MAY_BE_MISSING]
    if missing or len(set(header)) < len(header) or not set(header) <= set(WIRE_FIELDS):
        raise BadFile(1, f"the first line has to name the columns, with commas between: {','.join(WIRE_FIELDS)}")


def _value(name: str, cell: str) -> object:
    """What the cell stands for; the cell itself where it stands for nothing. Spreadsheets write TRUE for true."""
    if name == "completed":
        return {"true": True, "false": False}.get(cell.lower(), cell)
    if name == "order":
        return int(cell) if re.fullmatch(r"-?[0-9]{1,10}", cell) else cell
    if name == "completed_at":
        return cell or None
    return unguarded(cell)


# JSON


class _Document:
    """A JSON text of which only a piece is in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._octets = codecs.getincrementaldecoder("utf-8-sig")()
        self._decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)
        self._text, self._at, self._ended = "", 0, False
        self.line = 1

    def next(self) -> str:
        """The next character that is no white space, which stays where it is; empty at the end of the file."""
        while True:
            while self._at < len(self._text):
                character = self._text[self._at]
                if character not in " \t\n\r":
                    return character
                self.line += character == "\n"
                self._at += 1
            if not self._read():
                return ""

    def take(self, expected: str) -> None:
        """Step over the next character, which is `expected`."""
        found = self.next()
        if found != expected:
            self._fail(f"expected {expected}" if found else None)
        self._at += 1

    def value(self) -> Any:  # noqa: ANN401 (JSON is anything)
        """Step over the next value, and return it."""
        self.next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError:
                self._fail("nested too deeply")
            except ValueError as exc:  # bad, or not all of it is here
                if len(self._text) - self._at > MAX_RECORD or not self._read():
                    self._explain(exc)
            else:
                if end + _BEYOND_NUMBER < len(self._text) or not self._read():
                    self.line += self._text.count("\n", self._at, end)
                    self._at = end
                    return value

    def _read(self) -> bool:
        octets = b"" if self._ended else self._file.read(_READ)
        self._ended = not octets
        try:
            text = self._octets.decode(octets, final=self._ended)
        except UnicodeDecodeError as exc:
            before = bytes(exc.object[: exc.start])
            _undecodable(octets, self.line + self._text.count("\n", self._at) + before.count(b"\n"))
        if text:
            self._text, self._at = self._text[self._at :] + text, 0
        return not self._ended

    def _explain(self, problem: ValueError) -> NoReturn:
        if not isinstance(problem, json.JSONDecodeError):
            self._fail(str(problem))
        if self._ended and (problem.pos >= len(self._text) or problem.msg.startswith("Unterminated")):
            self._fail(None)
        self.line += self._text.count("\n", self._at, problem.pos)
        self._fail(problem.msg)

    def _fail(self, why: str | None) -> NoReturn:
        raise BadFile(self.line, f"is not JSON: {why}" if why else "the file ends here, in the middle") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("the same name twice in one object")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _json(document: _Document) -> Iterator[Record]:
    document.take("{")
    found = False
    while document.next() == '"':
        name = document.value()
        document.take(":")
        if name != "tasks":
            document.value()  # the `count` of the API's list, say
        elif found:
            raise BadFile(document.line, '"tasks" is there twice')
        else:
            found = True
            yield from _tasks(document)
        if document.next() != ",":
            break
        document.take(",")
    document.take("}")
    if document.next():
        raise BadFile(document.line, "there is more after the end of the JSON object")
    if not found:
        raise BadFile(document.line, 'the JSON object has no "tasks"')


def _tasks(document: _Document) -> Iterator[Record]:
    document.take("[")
    while document.next() != "]":
        line = document.line
        yield Record(line, document.value())
        if document.next() != ",":
            break
        document.take(",")
    document.take("]")
