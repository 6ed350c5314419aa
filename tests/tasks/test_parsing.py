"""Exported files are read back whatever saved them, and what is wrong with one is told with its line."""

import io
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks import parsing
from tasks.export import Form, export
from tasks.models import Row
from tasks.parsing import BadFile, Record
from tasks.schemas import task_json
from tests.tasks.test_export import ROWS

UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "line 1: the file ends"),
    "list": (b"[]", "line 1: is not JSON: expected {"),
    "no tasks": (b'{"count": 0}', 'line 1: the JSON object has no "tasks"'),
    "nothing": (b"{}", '"tasks"'),
    "truncated between tasks": (b'{"tasks": [\n{},\n', "line 3: the file ends"),
    "truncated in a text": (b'{"tasks": [\n{"text": "a', "line 2: the file ends"),
    "truncated in an object": (b'{"tasks": [\n{"text": "a"', "line 2: the file ends"),
    "truncated after the tasks": (b'{"tasks": [\n{}]\n', "line 3: the file ends"),
    "letters between": (b'{"tasks": X[]}', "expected ["),
    "no comma": (b'{"tasks": [\n{}\n{}]}', "line 3: is not JSON: expected ]"),
    "more after the end": (b'{"tasks": []}\n{"tasks": []}', "line 2: there is more"),
    "tasks twice": (b'{"tasks": [],\n"tasks": []}', 'line 2: "tasks" is there twice'),
    "name twice": (b'{"tasks": [\n{"id": 1, "id": 2}]}', "line 2: is not JSON: the same name twice"),
    "in a later line": (b'{"tasks": [\n{"id": 1,\n\n"order": }\n]}', "line 4: is not JSON: Expecting value"),
    "NaN": (b'{"tasks": [\n{"order": NaN}]}', "line 2: is not JSON: NaN"),
    "deep": (b'{"tasks": [' + b"[" * 100_000, "nested too deeply"),
    "Latin-1": ('{"tasks": [\n{"text": "ü"}]}'.encode("latin-1"), "line 2: is not UTF-8"),
    "UTF-16": ('{"tasks": []}'.encode("utf-16"), "line 1: is UTF-16"),
    "cut in a character": (b'{"tasks": []}\n\xc3', "line 2: is not UTF-8"),
    "one endless text": (b'{"tasks": [\n{"text": "' + b"a" * 300_000, "line 2: is not JSON"),
}


def _read(content: bytes, form: Form) -> list[Record]:
    return list(parsing.read(io.BytesIO(content), form))


@pytest.mark.parametrize(("content", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_json_is_refused_with_the_line(content: bytes, why: str) -> None:
    with pytest.raises(BadFile, match=re.escape(why)):
        _read(content, Form.JSON)


HEADER = b"id,user_id,text,completed,order,created_at,updated_at,completed_at\r\n"
GOOD = b"01938f3a-1234-7000-8000-000000000001,alice-moves,a,false,0,2026-11-20T11:31:30.5Z,2026-11-20T11:31:30.5Z,\r\n"
UNREADABLE_CSV: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "line 1: the first line has to name the columns"),
    "semicolons": (HEADER.replace(b",", b";"), "with commas between"),
    "column missing": (HEADER.replace(b",order", b""), "line 1"),
    "column unknown": (HEADER.replace(b",order", b",order,done"), "line 1"),
    "column twice": (HEADER.replace(b",order", b",order,order"), "line 1"),
    "quote left open": (HEADER + GOOD + b'"01938f3a', "line 3: is not CSV"),
    "Latin-1": (HEADER + GOOD + "ü".encode("latin-1"), "line 3: is not UTF-8"),
    "UTF-16": (HEADER.decode().encode("utf-16"), "line 1: is UTF-16"),
    "UTF-16 of Excel": (HEADER.decode().encode("utf-16-le"), "line 1"),
    "endless line": (b"a" * 300_000, "line 1: is longer"),
}


@pytest.mark.parametrize(("content", "why"), UNREADABLE_CSV.values(), ids=UNREADABLE_CSV)
def test_unreadable_csv_is_refused_with_the_line(content: bytes, why: str) -> None:
    with pytest.raises(BadFile, match=re.escape(why)):
        _read(content, Form.CSV)


@pytest.mark.parametrize("line", [b'"two\nlines"', b'"two\r\nlines"'])
def test_lines_of_a_csv_are_counted_as_editors_do(line: bytes) -> None:
    content = HEADER + GOOD.replace(b",a,", b"," + line + b",") + b"a,b\r\n" + GOOD
    records = _read(content, Form.CSV)
    assert [record.line for record in records] == [2, 4, 5]
    assert records[1] == Record(4, None, "has 2 columns instead of 8")


@pytest.mark.parametrize(("name", "cell"), [("completed", "maybe"), ("order", "1.5"), ("order", "9" * 11)])
def test_cell_that_stands_for_nothing_stays(name: str, cell: str) -> None:
    content = HEADER + GOOD.replace(b"false" if name == "completed" else b",0,", f",{cell},".encode())
    assert cell in _read(content.replace(b",,", b","), Form.CSV)[0].values.values()


AS_SAVED_BY_OTHERS = {
    "BOM": b"\xef\xbb\xbf" + HEADER + GOOD,
    "LF": (HEADER + GOOD).replace(b"\r\n", b"\n"),
    "no last line end": (HEADER + GOOD).removesuffix(b"\r\n"),
    "empty lines": HEADER + b"\r\n" + GOOD + b"\r\n",
    "capitals": HEADER + GOOD.replace(b"false", b"FALSE"),
    "without user": HEADER.replace(b"user_id,", b"") + GOOD.replace(b"alice-moves,", b""),
}
TASK = {"text": "a", "completed": False, "order": 0, "completed_at": None}


@pytest.mark.parametrize("content", AS_SAVED_BY_OTHERS.values(), ids=AS_SAVED_BY_OTHERS)
def test_csv_as_other_programs_save_it_is_taken(content: bytes) -> None:
    (record,) = _read(content, Form.CSV)
    assert record.values.items() >= TASK.items()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 70), indent=st.sampled_from([None, 1]), mark=st.sampled_from(["", "\ufeff"]))
def test_json_as_other_programs_save_it_is_read_in_pieces_of_any_size(
    monkeypatch: pytest.MonkeyPatch, size: int, indent: int | None, mark: str
) -> None:
    monkeypatch.setattr(parsing, "_READ", size)
    tasks = [{"text": '買う 🥛 \\ " ,]}'}, {}, [], "a", 12345, -1.5e-7, True, None]
    document = {"count": 17, "tasks": tasks, "more": [1, {"a": None}, -2.5e3]}
    content = mark + json.dumps(document, indent=indent, ensure_ascii=False)
    assert [record.values for record in _read(content.encode(), Form.JSON)] == tasks


@settings(max_examples=50)
@given(rows=ROWS, form=st.sampled_from([Form.JSON, Form.CSV]))
def test_what_was_exported_is_read_as_it_was(rows: list[Row], form: Form) -> None:
    shown = [json.loads(task_json(row)) for row in rows]
    assert [record.values for record in _read(b"".join(export(rows, form)), form)] == shown


def test_line_of_a_bad_character_is_right_in_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_READ", 20)
    with pytest.raises(BadFile, match="line 42: is not UTF-8"):
        _read(b'{"tasks": [\n' + b'{"order": 1},\n' * 40 + b'"\xfc"]}', Form.JSON)
    with pytest.raises(BadFile, match="line 4: is not UTF-8"):
        _read(b'{"tasks": [\n{"text":\n\n"' + b"a" * 40 + b'\xfc"}]}', Form.JSON)


@pytest.mark.parametrize("indent", [None, 1])
def test_lines_are_those_that_tasks_begin_on_in_many_pieces(indent: int | None) -> None:
    tasks: list[Any] = [{"text": "🐘" * 400, "order": number} for number in range(400)]
    content = json.dumps({"tasks": tasks}, indent=indent, ensure_ascii=False)
    records = _read(content.encode(), Form.JSON)
    lines = [record.line for record in records]
    assert lines == ([1] * 400 if indent is None else [3 + 4 * number for number in range(400)])
