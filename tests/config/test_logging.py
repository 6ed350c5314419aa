"""Lines of the log, one at a time. What live servers write all together is in tests/logs."""

import io
import json
import logging
import subprocess
import sys

import pytest

from config import logging as config_logging
from tests.client import User

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _trace_of(line: str) -> tuple[str | None, str | None]:
    logged = json.loads(line)
    return logged.get("trace_id"), logged.get("parent_id")


@pytest.mark.parametrize(
    "traceparent", [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-09-what-comes-next"]
)
def test_valid_traceparent_is_picked_up(nobody: User, log: io.StringIO, traceparent: str) -> None:
    nobody.get("/livez", headers={"traceparent": traceparent})
    assert _trace_of(log.getvalue()) == (TRACE, PARENT)


@pytest.mark.parametrize(
    "traceparent",
    [
        pytest.param(f"ff-{TRACE}-{PARENT}-01", id="version ff"),
        pytest.param(f"00-{'0' * 32}-{PARENT}-01", id="no trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="no parent"),
        pytest.param(f"00-{TRACE.upper()}-{PARENT}-01", id="upper case"),
        pytest.param(f"00-{TRACE}-{PARENT}-01-more", id="more in version 00"),
        pytest.param(f"cc-{TRACE}-{PARENT}-01more", id="more without a hyphen"),
        pytest.param(f"00-{TRACE}-{PARENT}", id="no flags"),
        pytest.param(f"00-{TRACE[:-1]}-{PARENT}-01", id="short"),
        pytest.param(f" 00-{TRACE}-{PARENT}-01", id="space"),
        pytest.param(f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01", id="two"),
        pytest.param("", id="empty"),
    ],
)
def test_invalid_traceparent_is_as_if_it_were_not_there(nobody: User, log: io.StringIO, traceparent: str) -> None:
    nobody.get("/livez", headers={"traceparent": traceparent})
    assert _trace_of(log.getvalue()) == (None, None)


def test_trace_of_one_request_is_not_that_of_the_next(nobody: User, log: io.StringIO) -> None:
    nobody.get("/livez", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    nobody.get("/livez")
    assert _trace_of(log.getvalue().splitlines()[-1]) == (None, None)


def _on_a_terminal(record: logging.LogRecord) -> str:
    described = config_logging.dict_config(level="INFO", form="console")["formatters"]["structured"]
    return config_logging.Formatter(
        processors=described["processors"], foreign_pre_chain=described["foreign_pre_chain"]
    ).format(record)


def _record(message: str, exc: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(exc), exc, exc.__traceback__) if exc else None
    return logging.LogRecord("tasks.somewhere", logging.ERROR, __file__, 1, message, (), exc_info)


def test_nobody_writes_lines_of_ours_on_a_terminal() -> None:
    line = _on_a_terminal(_record("a\nb\r\x1b[2J\x85\u2028c"))
    assert len(line.splitlines()) == 1
    assert "\x1b[2J" not in line


def test_exception_on_a_terminal_is_where_it_happened_and_not_what_it_said() -> None:
    try:
        int("somebody's text")
    except ValueError as exc:
        shown = _on_a_terminal(_record("it broke", exc))
    assert "ValueError" in shown
    assert "test_exception_on_a_terminal" in shown
    assert "somebody" not in shown


def test_endless_chain_has_an_end(log: io.StringIO) -> None:
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first
    logging.getLogger("tasks").error("it broke", exc_info=first)
    assert [one["type"] for one in json.loads(log.getvalue())["exception"]] == ["ValueError", "KeyError"]


def _recurse() -> None:
    _recurse()


def test_recursion_is_shown_by_its_end(log: io.StringIO) -> None:
    try:
        _recurse()
    except RecursionError:
        logging.getLogger("tasks").exception("it broke")
    (described,) = json.loads(log.getvalue())["exception"]
    assert 1 < len(described["frames"]) < sys.getrecursionlimit() / 2


LAST_WORDS = """
import gc, config.wsgi

class Loop:
    def __del__(self):
        raise KeyError("somebody's text")

loop = Loop()
loop.itself = loop
del loop
gc.collect()
raise ValueError("somebody's text")
"""


def test_last_words_of_a_process_are_lines_too() -> None:
    done = subprocess.run([sys.executable, "-c", LAST_WORDS], capture_output=True, text=True, check=False)
    unraisable, uncaught = (json.loads(line) for line in done.stderr.splitlines())
    assert (unraisable["event"], unraisable["exception"][0]["type"]) == ("unraisable_exception", "KeyError")
    assert (uncaught["event"], uncaught["exception"][0]["type"]) == ("uncaught_exception", "ValueError")
    assert "somebody" not in done.stderr
    assert done.returncode == 1
