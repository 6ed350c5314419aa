"""Exceptions as the log shows them: what they are and where they passed, and not a word of what they quote.

A driver quotes rows (`Failing row contains …`), a parser its input, KeyError a key: a message is shown only where its
class is known to say nothing of the kind. Local variables and notes never are.
"""

import os
import re
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured

SHOWN_EXCEPTIONS = 10  # of a chain, or of a group
SHOWN_FRAMES = 50  # the innermost ones; a recursion has a thousand

# Where a file is installed says nothing; what is left is `tasks/queries.py`, `django/db/models/query.py`.
_INSTALLED = re.compile(rf".*/site-packages/|{re.escape(str(Path(__file__).parents[1]))}/|.*/lib/python[\d.]+/")


def describe(exc: BaseException) -> list[dict[str, Any]]:
    """The exception, and then those it came from or holds; `frames` of each from the outermost to the innermost."""
    described: list[dict[str, Any]] = []
    for (relation, one), _ in zip(_related("", exc, set()), range(SHOWN_EXCEPTIONS), strict=False):
        described.append(({"relation": relation} if relation else {}) | facts(one) | {"frames": _frames(one)})
    return described


def facts(exc: BaseException) -> dict[str, str]:
    """What is known of one exception itself: its `type`, and what else may be told."""
    name = f"{type(exc).__module__}.{type(exc).__qualname__}".removeprefix("builtins.")
    known = {"type": name, "message": _harmless_message(exc)} | _database_facts(exc)
    return {name: fact for name, fact in known.items() if fact}


def as_text(described: list[dict[str, Any]]) -> str:
    """The same for people, with the exception that was caught first."""
    lines = []
    for one in described:
        lines.append(" ".join(f"{name}={fact}" for name, fact in one.items() if name != "frames"))
        lines += [f"    {frame}" for frame in one["frames"]]
    return "\n".join(lines)


def printable(text: str) -> str:
    """Escape what could end a line, or move a terminal's cursor: nobody writes lines of ours."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def current(exc_info: object) -> BaseException | None:
    """The exception that `exc_info` of a log call stands for: itself, the middle of a triple, or the one in flight."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    elif exc_info and not isinstance(exc_info, BaseException):
        exc_info = sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _related(relation: str, exc: BaseException, seen: set[int]) -> Iterator[tuple[str, BaseException]]:
    if id(exc) in seen:
        return
    seen.add(id(exc))
    yield relation, exc
    if isinstance(exc, BaseExceptionGroup):
        for member in exc.exceptions:
            yield from _related("member", member, seen)
    if exc.__cause__ is not None:
        yield from _related("cause", exc.__cause__, seen)
    elif exc.__context__ is not None and not exc.__suppress_context__:
        yield from _related("context", exc.__context__, seen)


def _frames(exc: BaseException) -> list[str]:
    shown = deque(walk_tb(exc.__traceback__), maxlen=SHOWN_FRAMES)
    return [f"{_INSTALLED.sub('', f.f_code.co_filename)}:{line} {f.f_code.co_qualname}" for f, line in shown]


def _harmless_message(exc: BaseException) -> str | None:
    if isinstance(exc, psycopg.OperationalError) and exc.sqlstate is None:  # libpq's own: what is wrong on the way
        return printable(str(exc).partition("\n")[0])
    if isinstance(exc, OSError) and exc.errno is not None:
        return os.strerror(exc.errno)  # its own sentence may be anybody's, and names files
    if isinstance(exc, ImproperlyConfigured):
        return printable(str(exc))
    return None


def _database_facts(exc: BaseException) -> dict[str, str | None]:
    """The names that PostgreSQL gives to what went wrong. Its sentences quote values."""
    if not isinstance(exc, psycopg.Error):
        return {}
    at = exc.diag
    return {
        "sqlstate": exc.sqlstate,
        "table": at.table_name,
        "column": at.column_name,
        "constraint": at.constraint_name,
    }
