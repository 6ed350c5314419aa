"""Structured logs: one line an event, JSON for machines, readable on a terminal; every library's lines alike.

What others log is not trusted: Django, asyncio and the drivers put paths, headers, SQL and values into their messages.
Of a line that is not ours only the template and its numbers are kept; of an exception, what `config.tracebacks` leaves.
"""

import logging.config
import signal
import sys
import threading
import warnings
from typing import Any

import structlog
from structlog.types import EventDict, Processor

from config import tracebacks

OURS = ("config", "tasks", "authjwt", "tasks_api")
SERVERS = ("gunicorn.error", "uvicorn.error")
WITHHELD = "…"

log = structlog.get_logger("tasks_api.process")


def describe_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 (structlog's)
    """Replace an exception by its description, and drop the stack that a call may have asked for."""
    event["event"] = str(event["event"]).strip()  # uvicorn ends one with a newline
    event.pop("stack_info", None)
    exc = tracebacks.current(event.pop("exc_info", None))
    if exc is not None:
        event["exception"] = tracebacks.describe(exc)
    return event


def for_terminals(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 (structlog's)
    """Let no value write lines of its own. JSON cannot hold such characters in the first place."""
    exception = event.pop("exception", None)
    event = {name: tracebacks.printable(value) if isinstance(value, str) else value for name, value in event.items()}
    return event if exception is None else event | {"exception": tracebacks.as_text(exception)}


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LAST: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, describe_exception]


class Formatter(structlog.stdlib.ProcessorFormatter):
    """Structlog's, for our lines and everybody's, once it is clear whose they are."""

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "_logger") and not _is_harmless(record):  # structlog's own, which is ours, has one
            record = logging.makeLogRecord(record.__dict__)
            record.msg, record.args = _template(record), ()
        return super().format(record)


def _is_harmless(record: logging.LogRecord) -> bool:
    """Whether a message may be shown in full: ours, and what the servers say of themselves.

    At INFO that is all they say; from WARNING on, gunicorn quotes requests, and uvicorn has fixed sentences for them.
    """
    return (
        record.name.partition(".")[0] in OURS
        or (record.name in SERVERS and record.levelno <= logging.INFO)
        or (record.name == "uvicorn.error" and not record.args)
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


def configure(*, level: str, form: str) -> None:
    """Set logging up for this process. `form` is `json` or `console`."""
    logging.config.dictConfig(dict_config(level=level, form=form))
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def dict_config(*, level: str, form: str) -> dict[str, Any]:
    """`logging.config.dictConfig`'s argument, for gunicorn as well, so that its lines have the same form."""
    # DEBUG is for our own lines: at that level libraries log statements with their values, and requests with headers.
    others = "INFO" if level == "DEBUG" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {"()": Formatter, "foreign_pre_chain": SHARED, "processors": [*LAST, *_renderers(form)]}
        },
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


def _renderers(form: str) -> list[Processor]:
    if form == "json":
        return [structlog.processors.JSONRenderer()]
    colors, plain = sys.stderr.isatty(), structlog.dev.plain_traceback
    return [for_terminals, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def log_what_nobody_catches() -> None:
    """Give what Python itself prints, with values, the form of all other lines: last words of a process, warnings."""
    sys.excepthook = lambda _, exc, __: log.critical("uncaught_exception", exc_info=exc)
    threading.excepthook = lambda args: log.error("uncaught_exception_in_thread", exc_info=args.exc_value)
    sys.unraisablehook = lambda args: log.error("unraisable_exception", exc_info=args.exc_value)
    warnings.showwarning = lambda _, category, path, line, *__: log.warning(
        "python_warning", category=category.__name__, where=f"{path}:{line}"
    )
