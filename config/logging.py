"""Structured logs: one line an event, JSON for machines, readable on a terminal; every library's lines alike."""

import logging.config
import sys
from typing import Any

import structlog
from structlog.types import Processor

SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# Where it happened, without the values of local variables: they are tokens and people's tasks.
WHERE = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


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
    json = form == "json"
    renderers: list[Processor] = (
        [structlog.processors.ExceptionRenderer(WHERE), structlog.processors.JSONRenderer()]
        if json
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Each request has its one line from config.middleware; Django's own would repeat the bad ones.
            "django.request": {"level": "CRITICAL"},
            "gunicorn.error": {"handlers": [], "propagate": True, "level": level},
            "uvicorn": {"handlers": [], "propagate": True, "level": level},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }
