"""Structured logs: one line an event, JSON for machines, readable on a terminal; every library's lines alike.

What others log is not trusted: Django, asyncio and the drivers put paths, headers, SQL and values into their messages.
Of a line that is not ours only the template and its numbers are kept; of an exception, what `config.tracebacks` leaves.
"""

import json
import logging.config
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any, TextIO, cast

import orjson

from config import correlation, tracebacks

OURS = ("config", "tasks", "authjwt", "tasks_api")
SERVERS = ("gunicorn.error", "uvicorn.error", "_granian.serve")
LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error", "critical")}
LISTENING = ("Connection in use: ", "Invalid address: ", "connection to ", "Can't connect to ")
WITHHELD = "…"

Event = dict[str, Any]


class Logger:
    """Writes lines of ours: `log.info("what_happened", count=3)`. Past the loggers of `logging`, to the same stream."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.debug, self.info, self.warning, self.error, self.critical = (partial(self._log, one) for one in LEVELS)

    def _log(self, level: str, event: str, /, **values: Any) -> None:  # noqa: ANN401 (anything may be said)
        if LEVELS[level] < _Ours.level:
            return
        handler = _Ours.handler
        try:
            line = _Ours.formatter.line(self.name, level, {"event": event, **values})
            with handler.lock or nullcontext():
                handler.stream.write(f"{line}\n")
                handler.stream.flush()
        except Exception:  # noqa: BLE001 (as `logging` does: a line that cannot be written stops nobody)
            handler.handleError(logging.makeLogRecord({"name": self.name, "msg": event}))


class Formatter(logging.Formatter):
    """What a line looks like, whosever it is. An exception is replaced by its description, and a stack left out."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._render = _as_json if form == "json" else _for_terminals()

    def format(self, record: logging.LogRecord) -> str:
        return self.line(record.name, record.levelname.lower(), _foreign(record))

    def line(self, logger: str, level: str, event: Event) -> str:
        exc = tracebacks.current(event.pop("exc_info", None))
        event.update(correlation.current())
        event["level"] = level
        event["logger"] = logger
        event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        if exc is not None:
            event["exception"] = tracebacks.describe(exc)
        return self._render(event)


def _as_json(event: Event) -> str:
    """In ASCII: then no value can hold what some reader takes for the end of a line."""
    try:
        line = orjson.dumps(event, default=repr)
    except TypeError:  # a lone surrogate, an integer of more than 64 bits
        return _in_ascii(event)
    return line.decode() if line.isascii() else _in_ascii(event)


_in_ascii = json.JSONEncoder(separators=(",", ":"), default=repr).encode


def _for_terminals() -> Callable[[Event], str]:
    from structlog import dev  # noqa: PLC0415 (a start that writes JSON does without)

    console = dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=dev.plain_traceback)
    return lambda event: console(None, "", _printable(event))


def _printable(event: Event) -> Event:
    """Let no value write lines of its own."""
    exception = event.pop("exception", None)
    event = {name: tracebacks.printable(value) if isinstance(value, str) else value for name, value in event.items()}
    return event if exception is None else event | {"exception": tracebacks.as_text(exception)}


def _foreign(record: logging.LogRecord) -> Event:
    message = record.getMessage() if _is_harmless(record) else _template(record)
    return {"event": message.strip(), "exc_info": record.exc_info}  # uvicorn ends one with a newline


def _is_harmless(record: logging.LogRecord) -> bool:
    """Whether a message may be shown in full: ours, and what the servers say of themselves.

    At INFO that is all they say; from WARNING on, gunicorn quotes requests, unless it speaks of listening, uvicorn has
    fixed sentences for them, and granian's parent, which sees none, speaks of its workers.
    """
    return (
        record.name.partition(".")[0] in OURS
        or (record.name in SERVERS and record.levelno <= logging.INFO)
        or (record.name == "gunicorn.error" and str(record.msg).startswith(LISTENING))
        or (record.name == "uvicorn.error" and not record.args)
        or record.name == "_granian"
    )


def _template(record: logging.LogRecord) -> str:
    if not record.args or not isinstance(record.msg, str) or not isinstance(record.args, tuple):
        return WITHHELD  # it may have been put together before
    try:
        return record.msg % tuple(arg if _says_nothing(arg) else WITHHELD for arg in record.args)
    except (TypeError, ValueError):
        return WITHHELD


def _says_nothing(value: object) -> bool:
    return isinstance(value, int | float) or value in signal.Signals.__members__


class _Ours:
    """What lines of ours need: as `configure` left it."""

    level = logging.INFO
    formatter = Formatter("json")
    handler: "logging.StreamHandler[TextIO]" = logging.StreamHandler()


log = Logger("tasks_api.process")


def configure(*, level: str, form: str) -> None:
    """Set logging up for this process. `form` is `json` or `console`."""
    logging.config.dictConfig(dict_config(level=level, form=form))
    (_Ours.handler,) = cast("list[logging.StreamHandler[TextIO]]", logging.getLogger().handlers)
    _Ours.formatter = cast("Formatter", _Ours.handler.formatter)
    _Ours.level = LEVELS[level.lower()]


def dict_config(*, level: str, form: str) -> dict[str, Any]:
    """`logging.config.dictConfig`'s argument, for gunicorn as well, so that its lines have the same form."""
    # DEBUG is for our own lines: at that level libraries log statements with their values, and requests with headers.
    others = "INFO" if level == "DEBUG" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": {"()": Formatter, "form": form}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": others},
        "loggers": {name: {"level": level} for name in OURS}
        | {
            # Each request has its one line from config.middleware; Django's own would repeat the bad ones.
            "django.request": {"level": "CRITICAL"},
            "gunicorn.error": {"handlers": [], "propagate": True, "level": others},
            "uvicorn": {"handlers": [], "propagate": True, "level": others},
            "uvicorn.error": {"level": others},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }


def log_what_nobody_catches() -> None:
    """Give what Python itself prints, with values, the form of all other lines: last words of a process, warnings."""
    sys.excepthook = lambda _, exc, __: log.critical("uncaught_exception", exc_info=exc)
    threading.excepthook = lambda args: log.error("uncaught_exception_in_thread", exc_info=args.exc_value)
    sys.unraisablehook = lambda args: log.error("unraisable_exception", exc_info=args.exc_value)
    warnings.showwarning = lambda _, category, path, line, *__: log.warning(
        "python_warning", category=category.__name__, where=f"{path}:{line}"
    )
