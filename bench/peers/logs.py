"""One JSON line a request, written by the standard library's logging, for every peer that logs in Python."""

import json
import logging
import logging.config


class JSONFormatter(logging.Formatter):
    """Time, level, message, and the fields of the request that came as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname, "message": record.getMessage()}
        return json.dumps(line | getattr(record, "request", {}))


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JSONFormatter}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
