"""Lines of the log, one at a time. What live servers write all together is in tests/logs."""

import io
import json
import logging
import os
import socket
import subprocess
import sys
import uuid
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import logging as config_logging
from config import unparsed
from config.logging import Logger
from tests.client import User

ours = Logger("tasks_api.test")

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
    return config_logging.Formatter("console").format(record)


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


def test_words_about_the_configuration_are_shown(log: io.StringIO) -> None:
    ours.error("it broke", exc_info=ImproperlyConfigured("DEFAULT_X is missing\nin the settings"))
    (described,) = json.loads(log.getvalue())["exception"]
    assert described["message"] == "DEFAULT_X is missing\\nin the settings"


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


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("\ud800", "\ud800", id="lone surrogate"),
        pytest.param("a\x85\u2028\x9b2Jb", "a\x85\u2028\x9b2Jb", id="ends of lines"),
        pytest.param("\N{SNOWMAN}", "\N{SNOWMAN}", id="not ASCII"),
        pytest.param(2**70, 2**70, id="more than 64 bits"),
        pytest.param({1: "a"}, {"1": "a"}, id="name that is no text"),
        pytest.param(int, "<class 'int'>", id="anything"),
    ],
)
def test_any_value_makes_one_line(log: io.StringIO, value: object, shown: object) -> None:
    ours.info("said", value=value)
    (line,) = log.getvalue().splitlines()
    assert line.isascii()
    assert json.loads(line)["value"] == shown


def test_line_that_cannot_be_written_fails_nobody(log: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    circle: list[object] = []
    circle.append(circle)
    ours.info("said", value=circle)
    assert log.getvalue() == ""
    assert "Circular reference" in capsys.readouterr().err


def test_lines_of_libraries_have_the_form_and_the_request_of_ours(nobody: User, log: io.StringIO) -> None:
    request_id = nobody.get("/livez").headers["X-Request-ID"]
    ours.warning("said")
    logging.getLogger("some.library").warning("said")
    first, second = (json.loads(line) for line in log.getvalue().splitlines()[-2:])
    assert [*first] == [*second] == ["event", "request_id", "level", "logger", "timestamp"]
    assert first["request_id"] == second["request_id"] == request_id


def test_refusal_has_an_id_that_nothing_else_has(log: io.StringIO) -> None:
    assert b"X-Request-ID" in unparsed.refusal(400)
    ours.info("said")
    refused, after = (json.loads(line) for line in log.getvalue().splitlines())
    assert uuid.UUID(refused["request_id"])
    assert "request_id" not in after


def test_new_request_id_is_a_uuid(nobody: User) -> None:
    made = [uuid.UUID(nobody.get("/livez").headers["X-Request-ID"]) for _ in range(3)]
    assert [one.version for one in made] == [4, 4, 4]
    assert len(set(made)) == 3


def _written(script: str, level: str = "INFO", stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    script = (
        "import logging, os, threading\n"
        "from config.logging import Logger, configure\n"
        f"configure(level={level!r}, form='json')\n"
        "ours, library = Logger('tasks_api.test'), logging.getLogger('some.library')\n" + script
    )
    return subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=stderr, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("DEBUG", ["ours debug", "ours info", "theirs info", "ours warning", "theirs warning"]),
        ("INFO", ["ours info", "theirs info", "ours warning", "theirs warning"]),
        ("WARNING", ["ours warning", "theirs warning"]),
        ("ERROR", []),
    ],
)
def test_level_is_honoured(level: str, shown: list[str]) -> None:
    script = "for level in ('debug', 'info', 'warning'):\n getattr(ours, level)('ours ' + level)\n"
    script += " getattr(library, level)('theirs %d', 1)\n"
    lines: list[dict[str, Any]] = [json.loads(line) for line in _written(script, level).stderr.splitlines()]
    assert [f"{line['event'].split()[0]} {line['level']}" for line in lines] == shown


LISTEN = """
from gunicorn import config, sock
sock.time.sleep = lambda seconds: None
bound = config.Config()
bound.set("bind", "127.0.0.1:{port}")
sock.create_sockets(bound, logging.getLogger("gunicorn.error"))
"""


def test_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _written(LISTEN.format(port=port))
    said = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert said[0] == f"Connection in use: ('127.0.0.1', {port})"
    assert "Address already in use" in said[1]
    assert said[-1] == f"Can't connect to ('127.0.0.1', {port})"


CROWD = """
def write():
    for number in range(100):
        ours.info("said", pid=os.getpid(), filling="x" * number * 20)
        library.warning("said %d", number)

ours.info("said", pid=0)  # the logger is made before the fork
child = os.fork()
threads = [threading.Thread(target=write) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if child:
    os.waitpid(child, 0)
"""


def test_lines_of_threads_and_workers_stay_whole() -> None:
    lines = [json.loads(line) for line in _written(CROWD).stderr.splitlines()]
    assert len(lines) == 1 + 2 * 4 * 100 * 2


def test_stderr_that_nobody_reads_stops_nobody() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    done = _written("ours.info('said')\nlibrary.warning('said')\nours.info('said')\nprint('goes on')", stderr=writes)
    os.close(writes)
    assert done.stdout == "goes on\n"
